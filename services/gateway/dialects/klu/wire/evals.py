"""Evals, their types, and their runs."""

from datetime import datetime
from typing import Any

from msgspec import Struct

from services.gateway.dialects.klu.wire.pages import Flag


class CreateEval(Struct, frozen=True, kw_only=True):
    """`version`: the guid or number of a version. `rerun`: whether the data points' inputs run again."""

    name: str
    action: str
    eval_types: list[dict[str, Any] | str]
    dataset: str | None = None
    version: str | int | None = None
    sampling_rate: float | None = None
    alert_on_fail: Flag = None
    rerun: Flag = None


class UpdateEval(Struct, frozen=True, kw_only=True):
    name: str | None = None
    action: str | None = None
    eval_types: list[dict[str, Any] | str] | None = None
    dataset: str | None = None
    version: str | int | None = None
    sampling_rate: float | None = None
    alert_on_fail: Flag = None
    rerun: Flag = None


class OfDataset(Struct, frozen=True):
    guid: str


class Eval(Struct, frozen=True, kw_only=True):
    guid: str
    name: str
    description: str
    app: str
    action: str
    version: str | None
    version_number: int | None
    dataset: OfDataset | None
    eval_types: list[dict[str, Any]]
    sampling_rate: float
    alert_on_fail: bool
    rerun: bool
    created_by_id: str | None
    created_at: datetime
    updated_at: datetime


class EvalType(Struct, frozen=True, kw_only=True):
    """`metadata` tells its options."""

    guid: str
    name: str
    type: str
    owner: str
    metadata: dict[str, str]
    eval_function: str
    eval_run_type: str
    created_at: datetime
    updated_at: datetime


class Tally(Struct, frozen=True, kw_only=True):
    """`errors` could not be judged."""

    passed: int
    failed: int
    errors: int
    score: float | None


class ByType(Tally, frozen=True, kw_only=True):
    type: str


class Summary(Struct, frozen=True, kw_only=True):
    status: str
    total: int
    done: int
    passed: int
    failed: int
    errors: int
    pass_rate: float | None
    eval_types: list[ByType]
    rerun: bool
    dataset: str | None
    finished_at: datetime | None


class EvalRun(Struct, frozen=True, kw_only=True):
    guid: str
    eval: str
    action: str
    version: str | None
    run_number: int
    deleted: bool
    metadata: Summary
    created_by_id: str | None
    created_at: datetime
    updated_at: datetime


class Verdict(Struct, frozen=True, kw_only=True):
    type: str
    passed: bool | None
    score: float | None
    reason: str


class Result(Struct, frozen=True, kw_only=True):
    """`data` is the data point that was tried, `answer` the one that was judged."""

    guid: str
    data: str
    answer: str | None
    done: bool
    passed: bool | None
    verdicts: list[Verdict]
