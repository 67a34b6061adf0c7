"""Endpoints in Postgres: one function per statement. The secret goes in and out sealed."""

from collections.abc import Collection, Sequence
from typing import Any
from uuid import UUID

from msgspec import Struct

from libs.contracts import endpoints
from libs.contracts.paging import Slice
from libs.postgres.database import Connection, Database
from libs.postgres.text import clean
from services.webhook_dispatcher.notices import Disabled

_COLUMNS = "id, workspace_id, url, events, description, status, created_at, failing_since, public_key, ordered"


class Sealed(Struct, frozen=True):
    """An endpoint's keys as they are kept; the public one is not sealed."""

    secret: bytes
    signing_key: bytes | None = None
    public_key: str | None = None


async def lock(connection: Connection, workspace_id: UUID) -> None:
    """So that nobody else adds an endpoint of this workspace's until the transaction ends."""
    await connection.execute("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", f"endpoints {workspace_id}")


async def insert(
    connection: Connection, id: UUID, given: endpoints.CreateEndpoint, *, events: Sequence[str], sealed: Sealed
) -> endpoints.Endpoint | None:
    """None where there is one of that id already."""
    row = await connection.fetchrow(
        f"""
        INSERT INTO endpoints (id, workspace_id, url, events, description, secret, signing_key, public_key, ordered)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
        ON CONFLICT (id) DO NOTHING RETURNING {_COLUMNS}
        """,
        id,
        given.workspace_id,
        given.url,
        list(events),
        clean(given.description),
        sealed.secret,
        sealed.signing_key,
        sealed.public_key,
        given.ordered,
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
        SELECT {_COLUMNS} FROM endpoints WHERE workspace_id = $1 AND status <> 'listening'
        ORDER BY created_at, id OFFSET $2 LIMIT $3
        """,
        workspace_id,
        slice.offset,
        slice.limit,
    )
    return [_endpoint(row) for row in rows]


async def total(database: Connection | Database, workspace_id: UUID) -> int:
    return await database.fetchval(
        "SELECT count(*) FROM endpoints WHERE workspace_id = $1 AND status <> 'listening'", workspace_id
    )


async def any_of(database: Database, workspace_ids: Collection[UUID]) -> bool:
    """Whether one of the workspaces has an endpoint that is told of what happens."""
    return await database.fetchval(
        "SELECT EXISTS (SELECT FROM endpoints WHERE workspace_id = ANY($1) AND status IN ('active', 'listening'))",
        list(workspace_ids),
    )


async def update(
    connection: Connection, change: endpoints.UpdateEndpoint, *, events: Sequence[str] | None
) -> endpoints.Endpoint | None:
    """Made active, or given another URL, it begins anew: what failed before counts no more."""
    row = await connection.fetchrow(
        f"""
        UPDATE endpoints
        SET url = coalesce($3, url), events = coalesce($4, events), description = coalesce($5, description),
            status = coalesce($6, status),
            failing_since = CASE WHEN $6 = 'active' OR $3 <> url THEN NULL ELSE failing_since END
        WHERE workspace_id = $1 AND id = $2 RETURNING {_COLUMNS}
        """,
        change.workspace_id,
        change.endpoint_id,
        change.url,
        events,
        clean(change.description),
        change.status,
    )
    return _endpoint(row) if row else None


async def put_in_order(connection: Connection, id: UUID, *, ordered: bool) -> None:
    """Or in none, from now on, what waits for it included.

    The lock has what is being fanned out to it committed before, or done after and by the new rule.
    """
    await connection.execute("SELECT FROM endpoints WHERE id = $1 FOR UPDATE", id)
    await connection.execute("UPDATE endpoints SET ordered = $2 WHERE id = $1", id, ordered)
    await connection.execute(
        """
        UPDATE queue SET ordered = $2, waits = NOT $2 AND claimed_until IS NULL AND due_at > now()
        WHERE endpoint_id = $1 AND ordered <> $2
        """,
        id,
        ordered,
    )


async def rotate(
    connection: Connection, workspace_id: UUID, id: UUID, *, secret: bytes, hours: int
) -> endpoints.Endpoint | None:
    """The secret that it had stays valid for so many hours."""
    row = await connection.fetchrow(
        f"""
        WITH old AS (
            SELECT id, secret FROM endpoints WHERE workspace_id = $1 AND id = $2 FOR NO KEY UPDATE
        ), kept AS (
            INSERT INTO old_secrets SELECT id, secret, now() + make_interval(hours => $4) FROM old
        )
        UPDATE endpoints SET secret = $3 WHERE id = (SELECT id FROM old) RETURNING {_COLUMNS}
        """,
        workspace_id,
        id,
        secret,
        hours,
    )
    return _endpoint(row) if row else None


async def forget_secrets(connection: Connection, endpoint_id: UUID) -> None:
    """Those whose time is up."""
    await connection.execute("DELETE FROM old_secrets WHERE endpoint_id = $1 AND valid_until <= now()", endpoint_id)


async def delete(database: Database, workspace_id: UUID, id: UUID) -> endpoints.Endpoint | None:
    """What waits in the queue for it goes with it; its log stays until its time is up."""
    row = await database.fetchrow(
        f"DELETE FROM endpoints WHERE workspace_id = $1 AND id = $2 RETURNING {_COLUMNS}", workspace_id, id
    )
    return _endpoint(row) if row else None


async def answers(connection: Connection, ids: Collection[UUID]) -> list[UUID]:
    """Something arrived there. Written only where that is news: those are returned."""
    rows = await connection.fetch(
        """
        UPDATE endpoints SET failing_since = NULL FROM (
            SELECT id FROM endpoints WHERE id = ANY($1) AND failing_since IS NOT NULL ORDER BY id FOR NO KEY UPDATE
        ) AS changed WHERE endpoints.id = changed.id RETURNING endpoints.id
        """,
        list(ids),
    )
    return [row["id"] for row in rows]


async def fails(connection: Connection, ids: Collection[UUID]) -> None:
    """Something did not arrive there. Written only where that is news."""
    await connection.execute(
        """
        UPDATE endpoints SET failing_since = now() FROM (
            SELECT id FROM endpoints WHERE id = ANY($1) AND failing_since IS NULL ORDER BY id FOR NO KEY UPDATE
        ) AS changed WHERE endpoints.id = changed.id
        """,
        list(ids),
    )


async def disable(connection: Connection, ids: Collection[UUID]) -> list[Disabled]:
    """Nothing more is sent there: what waits is taken out of the queue and thereby failed. Those that were active."""
    return await _disable(connection, "true", list(ids))


async def disable_dead(connection: Connection, ids: Collection[UUID], *, days: int) -> list[Disabled]:
    """Those of them where nothing has arrived for so many days."""
    return await _disable(connection, "failing_since <= now() - make_interval(days => $2)", list(ids), days)


async def _disable(connection: Connection, which: str, *args: object) -> list[Disabled]:
    rows = await connection.fetch(
        f"""
        WITH disabled AS (
            UPDATE endpoints SET status = 'disabled' WHERE id = ANY($1) AND status = 'active' AND {which}
            RETURNING id, workspace_id, url
        ), unsent AS (
            DELETE FROM queue WHERE endpoint_id IN (SELECT id FROM disabled)
        )
        SELECT * FROM disabled
        """,
        *args,
    )
    return [Disabled(*row) for row in rows]


def _endpoint(row: Any) -> endpoints.Endpoint:
    return endpoints.Endpoint(**row)
