"""Automations, as they are stored: for those who ask about them, and for what sets them off."""

from collections.abc import Collection, Mapping
from datetime import datetime
from uuid import UUID

from asyncpg import Record
from msgspec import Struct

from libs.contracts import automations
from libs.contracts.automations import Automation
from libs.contracts.faults import not_found
from libs.contracts.paging import Page
from libs.postgres.database import Connection, Database
from services.runner.store.pages import Listing, one

# A run notes its time at its end; while it goes on, it is the newest itself.
_COLUMNS = """id, workspace_id, name, status, trigger, steps, timezone, next_at, created_by, created_at, updated_at,
    greatest(last_run_at, (SELECT max(created_at) FROM automation_runs WHERE automation_id = automations.id))
    AS last_run_at"""
_ROW = f"SELECT {_COLUMNS}, sealed_headers FROM automations"
_LISTING = Listing(f"SELECT {_COLUMNS} FROM automations", "automations", "created_at DESC, id DESC")
_OF = """workspace_id = $1 AND ($2::text IS NULL OR status = $2)
    AND ($3::text IS NULL OR trigger ->> 'type' = $3 OR event = $3)"""

_HEARING = "workspace_id = ANY($1) AND event = ANY($2) AND status = 'active'"


class Stored(Struct, frozen=True):
    """An automation with what is secret about it."""

    automation: Automation
    sealed_headers: bytes | None


async def only_one_at_a_time(connection: Connection, workspace_id: UUID) -> None:
    """Until the end of the transaction nobody else adds an automation to the workspace."""
    await connection.execute(
        "SELECT pg_advisory_xact_lock(hashtextextended('automations ' || $1, 0))", str(workspace_id)
    )


async def count(connection: Connection, workspace_id: UUID) -> int:
    return await connection.fetchval("SELECT count(*) FROM automations WHERE workspace_id = $1", workspace_id)


async def put(connection: Connection, made: Automation, sealed_headers: bytes | None) -> None:
    """Writes an automation, or writes it anew."""
    await connection.execute(
        """INSERT INTO automations (id, workspace_id, name, status, trigger, steps, sealed_headers, timezone, event,
            next_at, created_by)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
        ON CONFLICT (id) DO UPDATE SET name = $3, status = $4, trigger = $5, steps = $6, sealed_headers = $7,
            event = $9, next_at = $10, updated_at = now()
        WHERE automations.workspace_id = $2""",
        made.id,
        made.workspace_id,
        made.name,
        made.status,
        made.trigger,
        made.steps,
        sealed_headers,
        made.timezone,
        made.trigger.event if isinstance(made.trigger, automations.OnEvent) else None,
        made.next_at,
        made.created_by,
    )


async def find(database: Database | Connection, workspace_id: UUID, id: UUID) -> Stored | None:
    row = await database.fetchrow(f"{_ROW} WHERE workspace_id = $1 AND id = $2", workspace_id, id)
    return None if row is None else _stored(row)


async def get(database: Database | Connection, workspace_id: UUID, id: UUID) -> Stored:
    """Raises Fault NOT_FOUND."""
    found = await find(database, workspace_id, id)
    if found is None:
        raise not_found("automation", id)
    return found


async def lock(connection: Connection, workspace_id: UUID, id: UUID) -> Stored:
    """Nobody else changes it until the end of the transaction. Raises Fault NOT_FOUND."""
    row = await connection.fetchrow(f"{_ROW} WHERE workspace_id = $1 AND id = $2 FOR UPDATE", workspace_id, id)
    if row is None:
        raise not_found("automation", id)
    return _stored(row)


async def page(database: Database, asked: automations.PageAutomations) -> Page[Automation]:
    return await _LISTING.page(database, Automation, _OF, asked.slice, asked.workspace_id, asked.status, asked.trigger)


async def delete(connection: Connection, workspace_id: UUID, id: UUID) -> None:
    await connection.execute("DELETE FROM automations WHERE workspace_id = $1 AND id = $2", workspace_id, id)


async def due(connection: Connection, limit: int) -> list[Stored]:
    """Those whose time has come, for this transaction alone."""
    rows = await connection.fetch(
        f"{_ROW} WHERE next_at <= now() AND status = 'active' ORDER BY next_at LIMIT $1 FOR UPDATE SKIP LOCKED", limit
    )
    return [_stored(row) for row in rows]


async def any_hears(database: Database, workspace_ids: Collection[UUID], patterns: Collection[str]) -> bool:
    """Whether `hearing` would find one, as things are."""
    return await database.fetchval(
        f"SELECT EXISTS (SELECT FROM automations WHERE {_HEARING})", list(workspace_ids), list(patterns)
    )


async def hearing(
    connection: Connection, workspace_ids: Collection[UUID], patterns: Collection[str]
) -> dict[UUID, list[Stored]]:
    """By workspace, those that one of the patterns sets off, in the order in which they were made.

    None of them goes before the end of the transaction.
    """
    rows = await connection.fetch(
        f"{_ROW} WHERE {_HEARING} ORDER BY id FOR KEY SHARE", list(workspace_ids), list(patterns)
    )
    found: dict[UUID, list[Stored]] = {}
    for row in rows:
        found.setdefault(row["workspace_id"], []).append(_stored(row))
    return found


async def on_schedules_of(connection: Connection, workspace_id: UUID) -> list[Stored]:
    rows = await connection.fetch(
        f"{_ROW} WHERE workspace_id = $1 AND trigger ->> 'type' = 'schedule' ORDER BY id FOR UPDATE", workspace_id
    )
    return [_stored(row) for row in rows]


async def ran(connection: Connection, id: UUID, at: datetime) -> None:
    await connection.execute("UPDATE automations SET last_run_at = greatest(last_run_at, $2) WHERE id = $1", id, at)


async def schedule(connection: Connection, next_at: Mapping[UUID, datetime | None]) -> None:
    """When each of them is set off next."""
    await connection.execute(
        """UPDATE automations SET next_at = given.next_at FROM unnest($1::uuid[], $2::timestamptz[])
            AS given (id, next_at) WHERE automations.id = given.id""",
        list(next_at),
        list(next_at.values()),
    )


async def set_timezone(connection: Connection, workspace_id: UUID, timezone: str) -> None:
    await connection.execute("UPDATE automations SET timezone = $2 WHERE workspace_id = $1", workspace_id, timezone)


def _stored(row: Record) -> Stored:
    return Stored(one(row, Automation), row["sealed_headers"])
