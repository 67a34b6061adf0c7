"""Errands: what automations have other services do: mail, notices, changes of contacts.

Owner: runner. It asks by events, and waits for nothing that comes of them.
"""

from typing import Any
from uuid import UUID

from msgspec import Struct

from libs.contracts.subjects import Event

# The type of the notice that an automation was not set off.
STOPPED = "automation_stopped"
# Characters that a notification has: what is longer is cut.
LONGEST_TITLE, LONGEST_BODY = 300, 4000


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


MAIL_ASKED = Event("event.runner.automations.mail_asked", MailAsked)
CONTACT_UPDATE_ASKED = Event("event.runner.automations.contact_update_asked", ContactUpdateAsked)
NOTICE_ASKED = Event("event.runner.automations.notice_asked", NoticeAsked)
