"""Automations and their runs. A step's `config` is read by its type."""

from datetime import datetime
from typing import Any, Literal

from msgspec import UNSET, Struct, UnsetType

Status = Literal["active", "paused", "draft"]


class GivenStep(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    type: str
    config: dict[str, Any] = {}
    name: str | None = None


class CreateAutomation(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`trigger` is manual, schedule, event, or the name of an event."""

    name: str
    status: Status | None = None
    trigger: str | None = None
    trigger_config: dict[str, Any] | None = None
    steps: list[GivenStep] = []


class UpdateAutomation(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is absent stays as it is."""

    name: str | UnsetType = UNSET
    status: Status | UnsetType = UNSET
    trigger: str | UnsetType = UNSET
    trigger_config: dict[str, Any] | UnsetType | None = UNSET
    steps: list[GivenStep] | UnsetType = UNSET


class TriggerAutomation(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    payload: dict[str, Any] | None = None
    contact_id: str | None = None


class StepDefinition(Struct, frozen=True, kw_only=True):
    name: str
    type: str
    config: dict[str, Any]


class Automation(Struct, frozen=True, kw_only=True):
    """`steps` is how many there are."""

    id: str
    name: str
    status: str
    trigger: str
    trigger_config: dict[str, Any]
    steps: int
    last_run: datetime | None
    next_run: datetime | None
    created_at: datetime
    updated_at: datetime
    step_definitions: list[StepDefinition] | UnsetType = UNSET


class Automations(Struct, frozen=True, kw_only=True):
    data: list[Automation]
    total: int
    limit: int
    offset: int


class Triggered(Struct, frozen=True, kw_only=True):
    run_id: str
    automation_id: str
    status: str


class Error(Struct, frozen=True, kw_only=True):
    code: str
    message: str
    field: str | None


class StepRun(Struct, frozen=True, kw_only=True):
    """`run_id` is that of the step's action, `due_at` when a waiting one goes on."""

    name: str
    type: str
    status: str
    output: dict[str, Any]
    error: Error | None
    run_id: str | None
    due_at: datetime | None
    started_at: datetime | None
    finished_at: datetime | None


class Run(Struct, frozen=True, kw_only=True):
    """`steps` is how many there are; one run alone is shown with them."""

    id: str
    automation_id: str
    automation_name: str
    status: str
    trigger: str
    steps_run: int
    steps: int
    duration_ms: float | None
    error: Error | None
    created_at: datetime
    finished_at: datetime | None
    payload: dict[str, Any] | UnsetType = UNSET
    step_runs: list[StepRun] | UnsetType = UNSET


class Runs(Struct, frozen=True, kw_only=True):
    data: list[Run]
    total: int
    limit: int
    offset: int
