"""The book of contacts: what may be written in it, and what is stated of it.

The rule: a change and the event that tells of it commit together, and what changes nothing states nothing.
"""

from collections.abc import Callable, Sequence
from uuid import UUID

import asyncpg
import msgspec
from msgspec import Struct

from libs.contracts import contacts, ids
from libs.contracts.faults import Code, Fault, not_found
from libs.postgres import outbox
from libs.postgres.database import Connection, Database
from services.gateway import emails
from services.gateway.contacts import store
from services.gateway.contacts.store import Contact, Details
from services.gateway.effects import store as effects

_LONGEST = 500
_LONGEST_TAG = 100
_MOST_TAGS = 100
_METADATA_BYTES = 64 * 1024


class CreateContact(Struct, frozen=True):
    workspace_id: UUID
    details: Details
    id: UUID | None = None


async def create(database: Database, asked: CreateContact) -> Contact:
    """Raises Fault INVALID, TOO_LARGE, and CONFLICT for an e-mail address that another one has."""
    _check(asked.details)
    id = asked.id or ids.new()
    async with database.transaction() as connection:
        made = await store.add(connection, asked.workspace_id, id, asked.details)
        if made is not None:
            fact = contacts.ContactCreated(asked.workspace_id, id)
            await outbox.state(connection, contacts.CREATED, [fact])
            return made
        known = await store.get(connection, asked.workspace_id, id)
    if known is None:
        raise _taken()
    return known


async def get(connection: Connection | Database, workspace_id: UUID, id: UUID, *, field: str | None = None) -> Contact:
    """Raises Fault NOT_FOUND, which names the `field` that named it."""
    found = await store.get(connection, workspace_id, id)
    if found is None:
        raise _missing(id, field)
    return found


async def update(database: Database, workspace_id: UUID, id: UUID, over: Callable[[Details], Details]) -> Contact:
    """`over` makes of what is known what is known from now on. Raises Fault as `create` does, and NOT_FOUND."""
    try:
        async with database.transaction() as connection:
            before = await store.lock(connection, workspace_id, id)
            if before is None:
                raise _missing(id)
            return await change(connection, before, over(before.details))
    except asyncpg.UniqueViolationError:
        raise _taken() from None


async def change(connection: Connection, before: Contact, details: Details, *, chain: Sequence[UUID] = ()) -> Contact:
    """Of a contact that is locked; `chain` are the automations that led to it. Raises Fault INVALID and TOO_LARGE, and
    asyncpg's UniqueViolationError where another one has the e-mail address.
    """
    _check(details)
    changed = [name for name in Details.__struct_fields__ if getattr(before, name) != getattr(details, name)]
    if not changed:
        return before
    after = await store.update(connection, before.id, details)
    fact = contacts.ContactUpdated(before.workspace_id, before.id, changed, list(chain))
    await outbox.state(connection, contacts.UPDATED, [fact])
    return after


async def must_be_free(connection: Connection, contact: Contact, email: str) -> None:
    """Raises Fault CONFLICT where another contact of the workspace has this e-mail address."""
    if email and (other := await store.of_email(connection, contact.workspace_id, email)) and other.id != contact.id:
        raise _taken()


async def delete(database: Database, workspace_id: UUID, id: UUID) -> None:
    """With what is kept of it for idempotency keys. Raises Fault NOT_FOUND."""
    async with database.transaction() as connection:
        if not await store.delete(connection, workspace_id, id):
            raise _missing(id)
        await effects.erase(connection, [(workspace_id, id)])
        await outbox.state(connection, contacts.ERASED, [contacts.ContactsErased(workspace_id, [id])])


def _check(details: Details) -> None:
    if not (details.name or details.email or details.company):
        raise Fault(Code.INVALID, "Give a name, an email or a company.", field="name")
    for field in ("name", "company"):
        if len(getattr(details, field)) > _LONGEST:
            raise Fault(Code.INVALID, f"Expected {_LONGEST} characters at most.", field=field)
    if details.email and not emails.is_address(details.email):
        raise Fault(Code.INVALID, "This is no e-mail address.", field="email")
    if len(details.tags) > _MOST_TAGS or not all(0 < len(tag) <= _LONGEST_TAG for tag in details.tags):
        message = f"Expected {_MOST_TAGS} tags at most, of 1 to {_LONGEST_TAG} characters each."
        raise Fault(Code.INVALID, message, field="tags")
    if len(msgspec.json.encode(details.metadata)) > _METADATA_BYTES:
        message = f"Metadata is over {_METADATA_BYTES >> 10} KiB."
        raise Fault(Code.TOO_LARGE, message, field="metadata")


def _missing(id: UUID, field: str | None = None) -> Fault:
    return not_found("contact", ids.crockford("cnt", id), field=field)


def _taken() -> Fault:
    return Fault(Code.CONFLICT, "Another contact of this workspace has this e-mail address.", field="email")
