"""Runs of automations: each from what set it off to the end of its last step.

Owner: runner. A run keeps the steps that its automation had when it began, and has a row for each of them; it outlives
the process that works on it.
"""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from msgspec import Struct

from libs.contracts.faults import Failure
from libs.contracts.paging import Page, Slice
from libs.contracts.subjects import Event, Rpc


class RunStatus(StrEnum):
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"


class StepStatus(StrEnum):
    """A `waiting` one goes on when its time has come, or the run of its action has ended."""

    PENDING = "pending"
    RUNNING = "running"
    WAITING = "waiting"
    COMPLETED = "completed"
    FAILED = "failed"
    SKIPPED = "skipped"


class StepRun(Struct, frozen=True):
    """A step of one run. `type` is its kind's tag, `output` what it came to, `action_run_id` its action's run."""

    id: UUID
    position: int
    name: str
    type: str
    status: StepStatus
    output: dict[str, Any] = {}
    failure: Failure | None = None
    action_run_id: UUID | None = None
    due_at: datetime | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None


class Run(Struct, frozen=True):
    """`trigger` is what set it off (manual, schedule, or the event), `payload` what that told; `steps` where one run is
    asked for. `chain` are the automations that led to it, the first first, itself last.
    """

    id: UUID
    workspace_id: UUID
    automation_id: UUID
    automation_name: str
    status: RunStatus
    trigger: str
    payload: dict[str, Any]
    chain: list[UUID]
    steps_run: int
    steps_total: int
    created_at: datetime
    finished_at: datetime | None = None
    failure: Failure | None = None
    steps: list[StepRun] = []


class TriggerAutomation(Struct, frozen=True):
    """`id` is the run's. Raises CONFLICT where the automation is not active."""

    workspace_id: UUID
    automation_id: UUID
    payload: dict[str, Any] = {}
    id: UUID | None = None


class PageRuns(Struct, frozen=True):
    """Newest first; of one automation, or of all."""

    workspace_id: UUID
    automation_id: UUID | None = None
    status: RunStatus | None = None
    slice: Slice = Slice()


class GetRun(Struct, frozen=True):
    workspace_id: UUID
    run_id: UUID


class RunStarted(Struct, frozen=True):
    """`trigger` and `chain` as the run has them; `contact_id` is whom its payload is about."""

    workspace_id: UUID
    run_id: UUID
    automation_id: UUID
    automation_name: str
    trigger: str
    contact_id: UUID | None = None
    chain: list[UUID] = []


class RunFinished(Struct, frozen=True):
    """It completed, or failed. `steps_run` were carried out, those that were skipped not counted."""

    workspace_id: UUID
    run_id: UUID
    automation_id: UUID
    automation_name: str
    status: RunStatus
    steps_run: int
    duration_ms: float
    contact_id: UUID | None = None
    failure: Failure | None = None
    chain: list[UUID] = []


TRIGGER = Rpc("rpc.runner.automations.trigger", TriggerAutomation, Run)
PAGE = Rpc("rpc.runner.automation_runs.page", PageRuns, Page[Run])
GET = Rpc("rpc.runner.automation_runs.get", GetRun, Run)
STARTED = Event("event.runner.automation_runs.started", RunStarted)
COMPLETED = Event("event.runner.automation_runs.completed", RunFinished)
FAILED = Event("event.runner.automation_runs.failed", RunFinished)
