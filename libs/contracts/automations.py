"""Automations: steps that run one after another when something happens, at a time, or when they are asked to.

Owner: runner. Steps are in `automation_steps`, runs in `automation_runs`, and what other services do for them is in
`errands`.
"""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from msgspec import UNSET, Struct, UnsetType

from libs.contracts.automation_steps import Step
from libs.contracts.paging import Page, Slice
from libs.contracts.subjects import Rpc


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


CREATE = Rpc("rpc.runner.automations.create", CreateAutomation, Automation)
GET = Rpc("rpc.runner.automations.get", GetAutomation, Automation)
PAGE = Rpc("rpc.runner.automations.page", PageAutomations, Page[Automation])
UPDATE = Rpc("rpc.runner.automations.update", UpdateAutomation, Automation)
DELETE = Rpc("rpc.runner.automations.delete", GetAutomation, Automation)
