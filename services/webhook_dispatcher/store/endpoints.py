"""Endpoints in Postgres: one function per statement. The secret goes in and out sealed."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from libs.contracts import endpoints
from libs.contracts.paging import Slice
from libs.postgres.database import Connection, Database
from libs.postgres.text import clean

_COLUMNS = "id, workspace_id, url, events, description, status, created_at"


async def insert(
    database: Database, id: UUID, given: endpoints.CreateEndpoint, *, events: Sequence[str], secret: bytes
) -> endpoints.Endpoint | None:
    """None where there is one of that id already."""
    row = await database.fetchrow(
        f"""
        INSERT INTO endpoints (id, workspace_id, url, events, description, secret) VALUES ($1, $2, $3, $4, $5, $6)
        ON CONFLICT (id) DO NOTHING RETURNING {_COLUMNS}
        """,
        id,
        given.workspace_id,
        given.url,
        list(events),
        clean(given.description),
        secret,
    )
    return _endpoint(row) if row else None


async def secret(database: Database, id: UUID) -> bytes:
    return await database.fetchval("SELECT secret FROM endpoints WHERE id = $1", id)


async def get(connection: Connection | Database, workspace_id: UUID, id: UUID) -> endpoints.Endpoint | None:
    row = await connection.fetchrow(
        f"SELECT {_COLUMNS} FROM endpoints WHERE workspace_id = $1 AND id = $2", workspace_id, id
    )
    return _endpoint(row) if row else None


async def page(database: Database, workspace_id: UUID, slice: Slice) -> list[endpoints.Endpoint]:
    rows = await database.fetch(
        f"""
        SELECT {_COLUMNS} FROM endpoints WHERE workspace_id = $1 ORDER BY created_at, id OFFSET $2 LIMIT $3
        """,
        workspace_id,
        slice.offset,
        slice.limit,
    )
    return [_endpoint(row) for row in rows]


async def total(database: Database, workspace_id: UUID) -> int:
    return await database.fetchval("SELECT count(*) FROM endpoints WHERE workspace_id = $1", workspace_id)


async def delete(database: Database, workspace_id: UUID, id: UUID) -> endpoints.Endpoint | None:
    """What waits in the queue for it goes with it; its log stays until its time is up."""
    row = await database.fetchrow(
        f"DELETE FROM endpoints WHERE workspace_id = $1 AND id = $2 RETURNING {_COLUMNS}", workspace_id, id
    )
    return _endpoint(row) if row else None


async def disable(connection: Connection, ids: Sequence[UUID]) -> None:
    """Nothing more is sent there: what waits is taken out of the queue and thereby failed."""
    await connection.execute(
        """
        WITH gone AS (UPDATE endpoints SET status = 'disabled' WHERE id = ANY($1))
        DELETE FROM queue WHERE endpoint_id = ANY($1)
        """,
        list(ids),
    )


def _endpoint(row: Any) -> endpoints.Endpoint:
    return endpoints.Endpoint(**row)
