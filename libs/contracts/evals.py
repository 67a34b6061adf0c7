"""Evals: an action tried on data points, and its answers judged by checks.

Owner: runner. A run of an eval (a trial) has a row for each data point. Either the data point's input runs again, and
the new answer is judged, or its own output is. Rows are worked on in the background by any runner; each counts once.
"""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from msgspec import UNSET, Struct, UnsetType

from libs.contracts.paging import Page, Slice
from libs.contracts.subjects import Event, Rpc


class Exact(Struct, frozen=True, tag="exact"):
    """The answer is what is `expected`, but for space around it. Without that here: what the data point expects, which
    is the `expected` of its metadata, or, where it runs again, its own output.
    """

    expected: str | None = None
    ignore_case: bool = False


class Contains(Struct, frozen=True, tag="contains"):
    """`expected` as in Exact is somewhere in the answer."""

    expected: str | None = None
    ignore_case: bool = False


class Regex(Struct, frozen=True, tag="regex"):
    """The pattern (Python's) is found somewhere in the answer."""

    pattern: str


class JsonSchema(Struct, frozen=True, tag="json_schema"):
    """The answer is JSON that fits the schema."""

    schema: dict[str, Any]


class Similarity(Struct, frozen=True, tag="similarity"):
    """The cosine similarity of the embeddings of the answer and of what is `expected` is at least the threshold."""

    expected: str | None = None
    threshold: float = 0.8


class Judge(Struct, frozen=True, tag="llm_judge"):
    """A model says how well the answer meets the criteria, from 0 to 1. Without one, it is the workspace's default."""

    criteria: str
    model_id: UUID | None = None
    threshold: float = 0.5


Check = Exact | Contains | Regex | JsonSchema | Similarity | Judge


class Eval(Struct, frozen=True):
    """Without a version, what is deployed runs. Without a dataset, the action's newest data points are judged as they
    are. `sampling` is the share of the data points that a trial takes, from 0 to 1. `rerun`: inputs run again.
    """

    id: UUID
    workspace_id: UUID
    name: str
    app_id: UUID
    action_id: UUID
    version_id: UUID | None
    version: int | None
    dataset_id: UUID | None
    checks: list[Check]
    rerun: bool
    sampling: float
    alert_on_fail: bool
    created_by: UUID | None
    created_at: datetime
    updated_at: datetime


class CreateEval(Struct, frozen=True):
    """A version is named by its id or by its `number`."""

    workspace_id: UUID
    name: str
    action_id: UUID
    checks: list[Check]
    version_id: UUID | None = None
    number: int | None = None
    dataset_id: UUID | None = None
    rerun: bool = True
    sampling: float = 1.0
    alert_on_fail: bool = False
    created_by: UUID | None = None
    id: UUID | None = None


class GetEval(Struct, frozen=True):
    workspace_id: UUID
    eval_id: UUID


class PageEvals(Struct, frozen=True):
    workspace_id: UUID
    slice: Slice = Slice()


class UpdateEval(Struct, frozen=True):
    """What is UNSET stays as it is; a trial that goes on keeps what it began with."""

    workspace_id: UUID
    eval_id: UUID
    name: str | UnsetType = UNSET
    action_id: UUID | UnsetType = UNSET
    checks: list[Check] | UnsetType = UNSET
    version_id: UUID | UnsetType | None = UNSET
    number: int | UnsetType | None = UNSET
    dataset_id: UUID | UnsetType | None = UNSET
    rerun: bool | UnsetType = UNSET
    sampling: float | UnsetType = UNSET
    alert_on_fail: bool | UnsetType = UNSET


class Status(StrEnum):
    RUNNING = "running"
    FINISHED = "finished"


class Tally(Struct, frozen=True):
    """`errors` could not be judged. `score` is the mean of those that have one."""

    passed: int = 0
    failed: int = 0
    errors: int = 0
    score: float | None = None


class Trial(Struct, frozen=True):
    """A run of an eval: `done` of its `total` rows are judged. `checks` is what each check came to, in their order."""

    id: UUID
    workspace_id: UUID
    eval_id: UUID
    number: int
    action_id: UUID
    version_id: UUID | None
    version: int | None
    dataset_id: UUID | None
    checks: list[Check]
    rerun: bool
    status: Status
    total: int
    done: int
    rows: Tally
    by_check: list[Tally]
    created_by: UUID | None
    created_at: datetime
    finished_at: datetime | None


class Verdict(Struct, frozen=True):
    """`passed` is None where nobody could tell, for the `reason` that is given."""

    passed: bool | None
    score: float | None = None
    reason: str = ""


class Row(Struct, frozen=True):
    """`answer_id` is the run that was judged. A row has passed where all its verdicts have."""

    id: UUID
    point_id: UUID
    answer_id: UUID | None
    done: bool
    passed: bool | None
    verdicts: list[Verdict]


class StartTrial(Struct, frozen=True):
    workspace_id: UUID
    eval_id: UUID
    created_by: UUID | None = None
    id: UUID | None = None


class PageTrials(Struct, frozen=True):
    workspace_id: UUID
    eval_id: UUID
    slice: Slice = Slice()


class GetTrial(Struct, frozen=True):
    workspace_id: UUID
    trial_id: UUID


class PageRows(Struct, frozen=True):
    workspace_id: UUID
    trial_id: UUID
    slice: Slice = Slice()


class TrialFinished(Struct, frozen=True):
    """`alert`: who made the eval wants to be told apart where not all have passed."""

    workspace_id: UUID
    trial_id: UUID
    eval_id: UUID
    number: int
    total: int
    passed: int
    failed: int
    errors: int
    alert: bool = False


CREATE = Rpc("rpc.runner.evals.create", CreateEval, Eval)
GET = Rpc("rpc.runner.evals.get", GetEval, Eval)
PAGE = Rpc("rpc.runner.evals.page", PageEvals, Page[Eval])
UPDATE = Rpc("rpc.runner.evals.update", UpdateEval, Eval)
DELETE = Rpc("rpc.runner.evals.delete", GetEval, Eval)
START = Rpc("rpc.runner.trials.start", StartTrial, Trial)
TRIALS = Rpc("rpc.runner.trials.page", PageTrials, Page[Trial])
TRIAL = Rpc("rpc.runner.trials.get", GetTrial, Trial)
ROWS = Rpc("rpc.runner.trials.rows", PageRows, Page[Row])
FINISHED = Event("event.runner.trials.finished", TrialFinished)
