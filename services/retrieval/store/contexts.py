"""Contexts in Postgres."""

from typing import Any
from uuid import UUID

from msgspec import UNSET

from libs.contracts import contexts
from libs.contracts.paging import Slice
from libs.postgres.database import Connection, Database
from libs.postgres.text import clean

_COLUMNS = """
id, workspace_id, name, description, type, metadata, revision, documents, chunks, created_by, created_at, updated_at
"""


async def insert(database: Database, id: UUID, given: contexts.CreateContext) -> contexts.Context | None:
    """None where there is one of that id already."""
    row = await database.fetchrow(
        f"""
        INSERT INTO contexts (id, workspace_id, name, description, type, metadata, created_by)
        VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (id) DO NOTHING RETURNING {_COLUMNS}
        """,
        id,
        given.workspace_id,
        clean(given.name),
        clean(given.description),
        clean(given.type),
        clean(given.metadata),
        given.created_by,
    )
    return _context(row) if row else None


async def get(database: Database, workspace_id: UUID, id: UUID) -> contexts.Context | None:
    row = await database.fetchrow(
        f"SELECT {_COLUMNS} FROM contexts WHERE workspace_id = $1 AND id = $2", workspace_id, id
    )
    return _context(row) if row else None


async def hold(connection: Connection, workspace_id: UUID, id: UUID) -> bool:
    """Whether it is there; it stays so until the transaction ends."""
    return await connection.fetchval(
        "SELECT true FROM contexts WHERE workspace_id = $1 AND id = $2 FOR KEY SHARE", workspace_id, id
    )


async def page(database: Database, workspace_id: UUID, slice: Slice) -> list[contexts.Context]:
    rows = await database.fetch(
        f"SELECT {_COLUMNS} FROM contexts WHERE workspace_id = $1 ORDER BY created_at, id OFFSET $2 LIMIT $3",
        workspace_id,
        slice.offset,
        slice.limit,
    )
    return [_context(row) for row in rows]


async def total(database: Database, workspace_id: UUID) -> int:
    return await database.fetchval("SELECT count(*) FROM contexts WHERE workspace_id = $1", workspace_id)


async def update(database: Database, change: contexts.UpdateContext) -> contexts.Context | None:
    given = [None if value is UNSET else clean(value) for value in (change.name, change.description, change.metadata)]
    row = await database.fetchrow(
        f"""
        UPDATE contexts SET name = coalesce($3, name), description = coalesce($4, description),
            metadata = coalesce($5, metadata), updated_at = now()
        WHERE workspace_id = $1 AND id = $2 RETURNING {_COLUMNS}
        """,
        change.workspace_id,
        change.context_id,
        *given,
    )
    return _context(row) if row else None


async def delete(connection: Connection, workspace_id: UUID, id: UUID) -> contexts.Context | None:
    """The context; its documents are deleted before it."""
    row = await connection.fetchrow(
        f"DELETE FROM contexts WHERE workspace_id = $1 AND id = $2 RETURNING {_COLUMNS}", workspace_id, id
    )
    return _context(row) if row else None


async def count(connection: Connection, id: UUID, *, documents: int = 0, chunks: int = 0) -> bool:
    """What a search in it could find has changed, by so many. False where it is gone."""
    return await connection.fetchval(
        """
        UPDATE contexts SET revision = revision + 1, documents = documents + $2, chunks = chunks + $3,
            updated_at = CASE WHEN $2 = 0 AND $3 = 0 THEN updated_at ELSE now() END
        WHERE id = $1 RETURNING true
        """,
        id,
        documents,
        chunks,
    )


async def revisions(database: Database, workspace_id: UUID, ids: list[UUID]) -> dict[UUID, int]:
    rows = await database.fetch(
        "SELECT id, revision FROM contexts WHERE workspace_id = $1 AND id = ANY($2)", workspace_id, ids
    )
    return {row["id"]: row["revision"] for row in rows}


def _context(row: Any) -> contexts.Context:
    return contexts.Context(**row)
