"""Experiments: runs shared out over variants, which are two or more actions or versions of one.

Owner: runner. Who speaks gets the same variant every time: the end user where a run names one, else the session; a run
with neither gets one by chance. Once an experiment is stopped the first variant answers, and nothing is counted.
"""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from msgspec import UNSET, Struct, UnsetType

from libs.contracts.paging import Page, Slice
from libs.contracts.subjects import Rpc


class Status(StrEnum):
    RUNNING = "running"
    STOPPED = "stopped"


class Variant(Struct, frozen=True):
    """Without a version, what is deployed to the run's environment. `weight` is its share beside the others'.

    The `id` follows from the experiment, action and version: a variant that is taken out and put back is the same.
    """

    id: UUID
    action_id: UUID
    version_id: UUID | None
    version: int | None
    weight: float


class Wanted(Struct, frozen=True):
    """A variant as it is asked for: its version by id or by `number`."""

    action_id: UUID
    version_id: UUID | None = None
    number: int | None = None
    weight: float = 1.0


class Experiment(Struct, frozen=True):
    id: UUID
    workspace_id: UUID
    app_id: UUID | None
    name: str
    status: Status
    variants: list[Variant]
    created_by: UUID | None
    created_at: datetime
    updated_at: datetime


class CreateExperiment(Struct, frozen=True):
    workspace_id: UUID
    name: str
    variants: list[Wanted]
    app_id: UUID | None = None
    created_by: UUID | None = None
    id: UUID | None = None


class GetExperiment(Struct, frozen=True):
    workspace_id: UUID
    experiment_id: UUID


class PageExperiments(Struct, frozen=True):
    workspace_id: UUID
    slice: Slice = Slice()


class UpdateExperiment(Struct, frozen=True):
    """What is UNSET stays as it is."""

    workspace_id: UUID
    experiment_id: UUID
    name: str | UnsetType = UNSET
    variants: list[Wanted] | UnsetType = UNSET
    status: Status | UnsetType = UNSET


class Result(Struct, frozen=True):
    """What the runs of a variant came to. Latencies (in milliseconds), tokens and cost are those of the answers that a
    model gave; of runs answered from the cache there are only the counts. `cost` is in nano-dollars, without that of
    the `unpriced` runs.
    """

    variant_id: UUID
    action_id: UUID
    runs: int
    succeeded: int
    failed: int
    cancelled: int
    cached: int
    latency_mean: float | None
    latency_p50: float | None
    latency_p95: float | None
    prompt_tokens: int
    completion_tokens: int
    cost: int
    unpriced: int


class Results(Struct, frozen=True):
    """Also of variants that the experiment no longer has; those without a run are left out."""

    experiment: Experiment
    results: list[Result]


CREATE = Rpc("rpc.runner.experiments.create", CreateExperiment, Experiment)
GET = Rpc("rpc.runner.experiments.get", GetExperiment, Experiment)
PAGE = Rpc("rpc.runner.experiments.page", PageExperiments, Page[Experiment])
UPDATE = Rpc("rpc.runner.experiments.update", UpdateExperiment, Experiment)
DELETE = Rpc("rpc.runner.experiments.delete", GetExperiment, Experiment)
RESULTS = Rpc("rpc.runner.experiments.results", GetExperiment, Results)
