"""Contacts: what was given of one as what is known of it, and back."""

from typing import Any

from libs.contracts import ids
from libs.contracts.paging import Page, Slice
from services.gateway.contacts import changes
from services.gateway.contacts.book import CreateContact
from services.gateway.contacts.changes import Change
from services.gateway.contacts.store import Contact, Details
from services.gateway.dialects.klairo import wire
from services.gateway.dialects.klairo.wire.contacts import GivenContact
from services.gateway.directory.callers import Caller


def change(fields: GivenContact, body: dict[str, Any]) -> Change:
    """`body` is the whole of what `fields` were read from."""
    return Change(
        name=fields.name,
        email=fields.email,
        company=fields.company,
        tags=fields.tags,
        metadata=fields.metadata,
        others=changes.others(body),
    )


def create(caller: Caller, change: Change) -> CreateContact:
    return CreateContact(caller.workspace_id, change.over(Details()))


def contact(known: Contact) -> wire.contacts.Contact:
    return wire.contacts.Contact(
        id=ids.crockford("cnt", known.id),
        name=known.name,
        email=known.email,
        company=known.company,
        tags=known.tags,
        metadata=known.metadata,
        created_at=known.created_at,
        updated_at=known.updated_at,
    )


def contacts(page: Page[Contact], slice: Slice) -> wire.contacts.Contacts:
    shown = [contact(known) for known in page.items]
    return wire.contacts.Contacts(data=shown, total=page.total, limit=slice.limit, offset=slice.offset)
