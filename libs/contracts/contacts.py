"""Contacts: whom a workspace deals with. Others know them by their ids; what is known of one is asked of the gateway.

Owner: gateway, which alone keeps them.
"""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from msgspec import Struct

from libs.contracts.paging import Slice
from libs.contracts.subjects import Event, Rpc


class Contact(Struct, frozen=True):
    """`metadata` is whatever else its workspace keeps of it."""

    id: UUID
    workspace_id: UUID
    name: str
    email: str
    company: str
    tags: list[str]
    metadata: dict[str, Any]
    created_at: datetime
    updated_at: datetime


class SearchContacts(Struct, frozen=True):
    """Newest first. `text`: each of its words begins one of the name, the e-mail or the company; with `mentioned`, one
    of its words is one of those. `since` and `until` are days in the workspace's time zone, both of them included.
    """

    workspace_id: UUID
    text: str = ""
    tag: str = ""
    since: date | None = None
    until: date | None = None
    mentioned: bool = False
    slice: Slice = Slice()


class Found(Struct, frozen=True):
    """`today` is the day it is now in the workspace's `timezone`."""

    items: list[Contact]
    total: int
    today: date
    timezone: str


class GetContact(Struct, frozen=True):
    """By its id, or else by its e-mail address, whatever its case."""

    workspace_id: UUID
    contact_id: UUID | None = None
    email: str = ""


class ContactCreated(Struct, frozen=True):
    """`chain`: the automations that led to it, as their runs have it; none where a person or a client did it."""

    workspace_id: UUID
    contact_id: UUID
    chain: list[UUID] = []


class ContactUpdated(Struct, frozen=True):
    """`changed` names the fields that have another value now; `chain` is as in ContactCreated."""

    workspace_id: UUID
    contact_id: UUID
    changed: list[str]
    chain: list[UUID] = []


class ContactsErased(Struct, frozen=True):
    """These contacts are no more, and nothing that was told of them is to be kept."""

    workspace_id: UUID
    contact_ids: list[UUID]


class UpdateRefused(Struct, frozen=True):
    """An automation's update of a contact was not carried out, and why."""

    workspace_id: UUID
    automation_id: UUID
    run_id: UUID
    contact_id: UUID
    reason: str


SEARCH = Rpc("rpc.gateway.contacts.search", SearchContacts, Found)
GET = Rpc("rpc.gateway.contacts.get", GetContact, Contact)
CREATED = Event("event.gateway.contacts.created", ContactCreated)
UPDATED = Event("event.gateway.contacts.updated", ContactUpdated)
UPDATE_REFUSED = Event("event.gateway.contacts.update_refused", UpdateRefused)
ERASED = Event("event.gateway.contacts.erased", ContactsErased)
