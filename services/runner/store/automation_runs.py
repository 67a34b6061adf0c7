"""Runs of automations, as they are stored; their steps are in `automation_steps`."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from msgspec import Struct

from libs.contracts import automation_runs
from libs.contracts.automation_runs import Run, RunStatus
from libs.contracts.faults import Failure
from libs.contracts.paging import Page
from libs.postgres.database import Connection, Database
from services.runner.store.pages import Listing, perhaps

_COLUMNS = """id, workspace_id, automation_id, automation_name, status, trigger, payload, chain, steps_run, steps_total,
    failure, created_at, finished_at"""
_LISTING = Listing(f"SELECT {_COLUMNS} FROM automation_runs", "automation_runs", "created_at DESC, id DESC")
_OF = "workspace_id = $1 AND ($2::uuid IS NULL OR automation_id = $2) AND ($3::text IS NULL OR status = $3)"


class Begun(Struct, frozen=True):
    """A run that begins. `sealed_headers` are its automation's."""

    id: UUID
    workspace_id: UUID
    automation_id: UUID
    automation_name: str
    trigger: str
    payload: dict[str, Any]
    contact_id: UUID | None
    chain: list[UUID]
    sealed_headers: bytes | None
    steps_total: int
    created_at: datetime


class Ended(Struct, frozen=True):
    """A run that has just ended, as others are told of it."""

    workspace_id: UUID
    automation_id: UUID
    automation_name: str
    contact_id: UUID | None
    chain: list[UUID]
    steps_run: int
    created_at: datetime
    finished_at: datetime


async def insert(connection: Connection, begun: Sequence[Begun]) -> set[UUID]:
    """The ids of those that were new."""
    rows = await connection.fetch(
        """INSERT INTO automation_runs (id, workspace_id, automation_id, automation_name, status, trigger, payload,
            contact_id, chain, sealed_headers, steps_total, created_at)
        SELECT id, workspace_id, automation_id, automation_name, 'running', trigger, payload,
            contact_id, string_to_array(chain, ' ')::uuid[], sealed_headers, steps_total, created_at
        FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::jsonb[],
                    $7::uuid[], $8::text[], $9::bytea[], $10::int[], $11::timestamptz[])
            AS begun (id, workspace_id, automation_id, automation_name, trigger, payload,
                      contact_id, chain, sealed_headers, steps_total, created_at)
        ON CONFLICT (id) DO NOTHING RETURNING id""",
        [run.id for run in begun],
        [run.workspace_id for run in begun],
        [run.automation_id for run in begun],
        [run.automation_name for run in begun],
        [run.trigger for run in begun],
        [run.payload for run in begun],
        [run.contact_id for run in begun],
        [" ".join(map(str, run.chain)) for run in begun],
        [run.sealed_headers for run in begun],
        [run.steps_total for run in begun],
        [run.created_at for run in begun],
    )
    return {row["id"] for row in rows}


async def find(database: Database | Connection, workspace_id: UUID, id: UUID) -> Run | None:
    row = await database.fetchrow(
        f"SELECT {_COLUMNS} FROM automation_runs WHERE workspace_id = $1 AND id = $2", workspace_id, id
    )
    return perhaps(row, Run)


async def lock(connection: Connection, id: UUID) -> None:
    """Nobody else changes or erases it until the end of the transaction.

    What a deletion cascades through it locks in this order: the automation, its run, the run's steps.
    """
    await connection.execute(
        """SELECT FROM automation_runs AS run JOIN automations ON automations.id = automation_id WHERE run.id = $1
        FOR KEY SHARE OF automations FOR NO KEY UPDATE OF run""",
        id,
    )


async def count_led(connection: Connection, workspace_ids: Collection[UUID], since: datetime) -> dict[UUID, int]:
    """The runs that other automations have set off."""
    rows = await connection.fetch(
        """SELECT workspace_id, count(*) AS runs FROM automation_runs
        WHERE workspace_id = ANY($1) AND created_at >= $2 AND cardinality(chain) > 1 GROUP BY workspace_id""",
        list(workspace_ids),
        since,
    )
    return {row["workspace_id"]: row["runs"] for row in rows}


async def page(database: Database, asked: automation_runs.PageRuns) -> Page[Run]:
    return await _LISTING.page(database, Run, _OF, asked.slice, asked.workspace_id, asked.automation_id, asked.status)


async def end(connection: Connection, id: UUID, status: RunStatus, failure: Failure | None) -> Ended | None:
    """None where it is over, or was erased."""
    row = await connection.fetchrow(
        """UPDATE automation_runs SET status = $2, failure = $3, finished_at = now()
        WHERE id = $1 AND status = 'running'
        RETURNING workspace_id, automation_id, automation_name, contact_id, chain, steps_run, created_at,
            finished_at""",
        id,
        status,
        failure,
    )
    return perhaps(row, Ended)


async def count_step(connection: Connection, id: UUID) -> None:
    await connection.execute("UPDATE automation_runs SET steps_run = steps_run + 1 WHERE id = $1", id)


async def erase_contacts(connection: Connection, workspace_id: UUID, contact_ids: Sequence[UUID]) -> None:
    """Runs about these contacts, those that go on as well."""
    await connection.execute(
        "DELETE FROM automation_runs WHERE workspace_id = $1 AND contact_id = ANY($2)", workspace_id, list(contact_ids)
    )


async def erase_older(connection: Connection, workspace_id: UUID, before: datetime, limit: int) -> int:
    """How many of those that ended before then, `limit` of them at most."""
    done = await connection.execute(
        """DELETE FROM automation_runs WHERE id IN (
            SELECT id FROM automation_runs WHERE workspace_id = $1 AND created_at < $2 AND finished_at < $2 LIMIT $3
        )""",
        workspace_id,
        before,
        limit,
    )
    return int(done.rpartition(" ")[2])
