"""Contacts in Postgres: one function per statement."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from msgspec import Struct, structs

from libs.contracts.paging import Page, Slice
from libs.postgres.database import Connection, Database
from services.gateway.contacts import words

_COLUMNS = "id, workspace_id, name, email, company, tags, metadata, created_at, updated_at"
_ZONE = "(SELECT timezone FROM workspaces WHERE id = $1)"
_FOUND = f"""
workspace_id = $1 AND ($2::text IS NULL OR words @@ $2::text::tsquery) AND ($3::text IS NULL OR tags @> ARRAY[$3::text])
AND ($4::date IS NULL OR created_at >= $4::date::timestamp AT TIME ZONE {_ZONE})
AND ($5::date IS NULL OR created_at < ($5::date + 1)::timestamp AT TIME ZONE {_ZONE})
"""


class Sought(Struct, frozen=True):
    """`query` is a tsquery; `since` and `until` are days in the workspace's time zone, both of them included."""

    query: str | None = None
    tag: str | None = None
    since: date | None = None
    until: date | None = None


class Details(Struct, frozen=True):
    """What is known of a contact: `metadata` is whatever else its workspace keeps of it."""

    name: str = ""
    email: str = ""
    company: str = ""
    tags: list[str] = []
    metadata: dict[str, Any] = {}


class Contact(Details, frozen=True, kw_only=True):
    id: UUID
    workspace_id: UUID
    created_at: datetime
    updated_at: datetime

    @property
    def details(self) -> Details:
        return Details(*(getattr(self, name) for name in Details.__struct_fields__))


async def add(connection: Connection, workspace_id: UUID, id: UUID, details: Details) -> Contact | None:
    """None where the workspace has a contact with this e-mail address, or there is one with the id."""
    row = await connection.fetchrow(
        f"""INSERT INTO contacts (id, workspace_id, name, email, company, tags, metadata, words)
        VALUES ($1, $2, $3, $4, $5, $6, $7, array_to_tsvector($8)) ON CONFLICT DO NOTHING RETURNING {_COLUMNS}""",
        id,
        workspace_id,
        *structs.astuple(details),
        _words(details),
    )
    return Contact(**row) if row else None


async def get(connection: Connection | Database, workspace_id: UUID, id: UUID) -> Contact | None:
    row = await connection.fetchrow(
        f"SELECT {_COLUMNS} FROM contacts WHERE workspace_id = $1 AND id = $2", workspace_id, id
    )
    return Contact(**row) if row else None


async def lock(connection: Connection, workspace_id: UUID, id: UUID) -> Contact | None:
    """It stays as it is until the end of the transaction."""
    row = await connection.fetchrow(
        f"SELECT {_COLUMNS} FROM contacts WHERE workspace_id = $1 AND id = $2 FOR UPDATE", workspace_id, id
    )
    return Contact(**row) if row else None


async def update(connection: Connection, id: UUID, details: Details) -> Contact:
    """Raises asyncpg's UniqueViolationError where another of the workspace has the e-mail address."""
    row = await connection.fetchrow(
        f"""UPDATE contacts SET name = $2, email = $3, company = $4, tags = $5, metadata = $6,
            words = array_to_tsvector($7), updated_at = now()
        WHERE id = $1 RETURNING {_COLUMNS}""",
        id,
        *structs.astuple(details),
        _words(details),
    )
    assert row is not None
    return Contact(**row)


async def delete(connection: Connection, workspace_id: UUID, id: UUID) -> bool:
    gone = await connection.fetchval(
        "DELETE FROM contacts WHERE workspace_id = $1 AND id = $2 RETURNING id", workspace_id, id
    )
    return gone is not None


async def of_email(connection: Connection | Database, workspace_id: UUID, email: str) -> Contact | None:
    row = await connection.fetchrow(
        f"SELECT {_COLUMNS} FROM contacts WHERE workspace_id = $1 AND lower(email) = lower($2) AND email <> ''",
        workspace_id,
        email,
    )
    return Contact(**row) if row else None


async def page(database: Database, workspace_id: UUID, slice: Slice, sought: Sought) -> Page[Contact]:
    """Newest first."""
    found = (workspace_id, *structs.astuple(sought))
    async with database.acquire() as connection:
        rows = await connection.fetch(
            f"SELECT {_COLUMNS} FROM contacts WHERE {_FOUND} ORDER BY id DESC OFFSET $6 LIMIT $7",
            *found,
            slice.offset,
            slice.limit,
        )
        total = await connection.fetchval(f"SELECT count(*) FROM contacts WHERE {_FOUND}", *found)
    return Page([Contact(**row) for row in rows], total)


def _words(details: Details) -> list[str]:
    return words.of(details.name, details.email, details.company)
