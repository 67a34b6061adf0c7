"""Automations: steps that run one after another when something happens, at a time, or when they are asked to.

Owner: runner. A run of an automation keeps the steps that it began with, and has a row for each of them; it outlives
the process that works on it. A step's texts are templates over what set the run off and what earlier steps came to.
What is not the runner's to do it asks for by events: mail, notices, changes of contacts.
"""

from datetime import datetime
from enum import StrEnum
from typing import Any, Literal
from uuid import UUID

from msgspec import UNSET, Struct, UnsetType

from libs.contracts.faults import Failure
from libs.contracts.paging import Page, Slice
from libs.contracts.subjects import Event, Rpc
from libs.contracts.tools import Method


class Status(StrEnum):
    """Nothing sets off a `paused` or a `draft` one; runs that go on do so to their end."""

    ACTIVE = "active"
    PAUSED = "paused"
    DRAFT = "draft"


class Manual(Struct, frozen=True, tag="manual"):
    """It runs when it is asked to, which every other one does as well."""


class Schedule(Struct, frozen=True, tag="schedule"):
    """`cron` has five fields, or six with seconds first. Without a `timezone` (an IANA name) it is the workspace's."""

    cron: str
    timezone: str = ""


class OnEvent(Struct, frozen=True, tag="event"):
    """`event` is a public name (libs.contracts.public_events), or a prefix as `contact.*`.

    `spelled` is how its maker named the trigger, and is shown so: `event`, or the event such as `contact_created`.
    """

    event: str
    spelled: str = "event"


Trigger = Manual | Schedule | OnEvent


class RunAction(Struct, frozen=True, tag="run_action"):
    """A run of an action, or of an app's default one. `answer` and `run_id` are what it comes to, and `parsed` where
    the answer is JSON.
    """

    action_id: UUID
    inputs: str | dict[str, Any] = ""


class HttpRequest(Struct, frozen=True, tag="http_request"):
    """A request to a public address; comes to `status` and `body`, which is read where it is JSON. Any status but 2xx
    fails the step. A `body` that is no text is sent as JSON. Headers come in and are given out with `…` for their
    values. `timeout` is in seconds.
    """

    url: str
    method: Method = "POST"
    headers: dict[str, str] = {}
    body: Any = None
    timeout: float = 30.0


class Wait(Struct, frozen=True, tag="wait"):
    """For so many seconds, or `until` a moment (ISO 8601)."""

    seconds: float | None = None
    until: str = ""


class SendEmail(Struct, frozen=True, tag="send_email"):
    """Asks for a mail of plain text; whether it went out is not waited for."""

    to: list[str]
    subject: str
    text: str


class UpdateContact(Struct, frozen=True, tag="update_contact"):
    """Asks for other values of these fields of a contact, who is named by id in any spelling, or by e-mail."""

    fields: dict[str, Any]
    contact_id: str = ""
    email: str = ""


class Notify(Struct, frozen=True, tag="notify"):
    """A notification of the workspace's."""

    title: str
    body: str = ""
    metadata: dict[str, Any] = {}


Operator = Literal[
    "equals", "not_equals", "contains", "not_contains", "greater", "at_least", "less", "at_most", "empty", "not_empty"
]


class Condition(Struct, frozen=True, tag="condition"):
    """Comes to `met`. Where it is not, the run stops there and has completed, or the next `skip` steps are left out.

    Sizes are compared as numbers, everything else as text.
    """

    left: str
    op: Operator = "not_empty"
    right: str = ""
    otherwise: Literal["stop", "skip"] = "stop"
    skip: int = 1


Kind = RunAction | HttpRequest | Wait | SendEmail | UpdateContact | Notify | Condition


class Step(Struct, frozen=True):
    """Templates know what it came to as `steps.<name>`. Without a name it is `step_1`, by its place."""

    kind: Kind
    name: str = ""


class Automation(Struct, frozen=True):
    """`timezone` is the workspace's; `next_at` is when a schedule sets it off next."""

    id: UUID
    workspace_id: UUID
    name: str
    status: Status
    trigger: Trigger
    steps: list[Step]
    timezone: str
    last_run_at: datetime | None
    next_at: datetime | None
    created_by: UUID | None
    created_at: datetime
    updated_at: datetime


class CreateAutomation(Struct, frozen=True):
    """`at_most` so many may the workspace have: one more is refused with FORBIDDEN. `timezone` is the workspace's."""

    workspace_id: UUID
    name: str
    steps: list[Step]
    trigger: Trigger = Manual()
    status: Status = Status.DRAFT
    timezone: str = "UTC"
    at_most: int | None = None
    created_by: UUID | None = None
    id: UUID | None = None


class GetAutomation(Struct, frozen=True):
    workspace_id: UUID
    automation_id: UUID


class PageAutomations(Struct, frozen=True):
    """`trigger`: manual, schedule, event, or the event as OnEvent has it."""

    workspace_id: UUID
    status: Status | None = None
    trigger: str | None = None
    slice: Slice = Slice()


class UpdateAutomation(Struct, frozen=True):
    """What is UNSET stays as it is, and so does a header whose value is `…` in a step of the same name."""

    workspace_id: UUID
    automation_id: UUID
    name: str | UnsetType = UNSET
    status: Status | UnsetType = UNSET
    trigger: Trigger | UnsetType = UNSET
    steps: list[Step] | UnsetType = UNSET


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


class MailAsked(Struct, frozen=True):
    """Somebody is to be written to, once for this event. `run_id` is the automation's run."""

    workspace_id: UUID
    automation_id: UUID
    run_id: UUID
    to: list[str]
    subject: str
    text: str


class ContactUpdateAsked(Struct, frozen=True):
    """A contact's fields are to have these values: its own fields by name, every other is of its metadata.

    It is named by id, else by e-mail; where there is no such contact, nothing is to be done. What comes of it carries
    the `chain` on (libs.contracts.contacts).
    """

    workspace_id: UUID
    automation_id: UUID
    run_id: UUID
    fields: dict[str, Any]
    contact_id: UUID | None = None
    email: str = ""
    chain: list[UUID] = []


class NoticeAsked(Struct, frozen=True):
    """The workspace is to have a notification; `metadata` as that has it. `run_id` is None where no run came about."""

    workspace_id: UUID
    automation_id: UUID
    run_id: UUID | None
    type: str
    title: str
    body: str
    metadata: dict[str, Any] = {}


CREATE = Rpc("rpc.runner.automations.create", CreateAutomation, Automation)
GET = Rpc("rpc.runner.automations.get", GetAutomation, Automation)
PAGE = Rpc("rpc.runner.automations.page", PageAutomations, Page[Automation])
UPDATE = Rpc("rpc.runner.automations.update", UpdateAutomation, Automation)
DELETE = Rpc("rpc.runner.automations.delete", GetAutomation, Automation)
TRIGGER = Rpc("rpc.runner.automations.trigger", TriggerAutomation, Run)
RUNS = Rpc("rpc.runner.automation_runs.page", PageRuns, Page[Run])
RUN = Rpc("rpc.runner.automation_runs.get", GetRun, Run)
STARTED = Event("event.runner.automation_runs.started", RunStarted)
COMPLETED = Event("event.runner.automation_runs.completed", RunFinished)
FAILED = Event("event.runner.automation_runs.failed", RunFinished)
MAIL_ASKED = Event("event.runner.automations.mail_asked", MailAsked)
CONTACT_UPDATE_ASKED = Event("event.runner.automations.contact_update_asked", ContactUpdateAsked)
NOTICE_ASKED = Event("event.runner.automations.notice_asked", NoticeAsked)
