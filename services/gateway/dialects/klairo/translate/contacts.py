"""Contacts: what was given of one as what is known of it, and back."""

from typing import Any

from msgspec import UNSET, Struct

from libs.contracts import ids
from libs.contracts.paging import Page, Slice
from services.gateway.contacts.book import CreateContact
from services.gateway.contacts.store import Contact, Details
from services.gateway.dialects.klairo import wire
from services.gateway.dialects.klairo.wire.contacts import GivenContact
from services.gateway.directory.callers import Caller

# A client that sends back what it was told may name these, and changes nothing by it.
_OURS = frozenset({"id", "created_at", "updated_at"})


class Given(Struct, frozen=True):
    """A body's own fields, and those of them that are the contact's."""

    fields: GivenContact
    others: dict[str, Any]

    def over(self, before: Details) -> Details:
        """What is known from now on. In metadata, each key stands for itself, and null takes it away."""
        fields = self.fields
        return Details(
            name=_text(fields.name, before.name),
            email=_text(fields.email, before.email),
            company=_text(fields.company, before.company),
            tags=before.tags if fields.tags is UNSET else list(dict.fromkeys(fields.tags or ())),
            metadata=self._metadata(before.metadata),
        )

    def _metadata(self, before: dict[str, Any]) -> dict[str, Any]:
        given = self.fields.metadata
        kept = {} if given is None else before
        told = kept | (given or {}) | self.others
        return {key: value for key, value in told.items() if value is not None}


def given(fields: GivenContact, body: dict[str, Any]) -> Given:
    """`body` is the whole of what `fields` were read from."""
    known = _OURS.union(GivenContact.__struct_encode_fields__)
    return Given(fields, {key: value for key, value in body.items() if key not in known})


def create(caller: Caller, given: Given) -> CreateContact:
    return CreateContact(caller.workspace_id, given.over(Details()))


def _text(given: wire.contacts.Text, before: str) -> str:
    return before if given is UNSET else (given or "").strip()


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
