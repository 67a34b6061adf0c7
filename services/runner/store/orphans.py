"""Runs whose holder is gone: found, put back into the queue, or ended without it.

The rule: every write names the holder, the attempt and the status that were found; a run that has others is left alone.
"""

from collections.abc import Sequence
from uuid import UUID

import msgspec
from asyncpg import Record
from msgspec import Struct

from libs.contracts import feed, runs
from libs.contracts.faults import Failure
from libs.contracts.runs import Run, Status
from libs.postgres.database import Connection, Database
from services.runner.runs.frames import Recorded
from services.runner.store.runs import RUN_COLUMNS, encoded


class Claim(Struct, frozen=True):
    """That a run is its holder's, in this attempt."""

    run_id: UUID
    holder: str
    attempt: int


class Orphan(Struct, frozen=True):
    """A run as it was found."""

    run: Run
    app_id: UUID
    model_id: UUID

    @property
    def claim(self) -> Claim:
        return Claim(self.run.id, self.run.holder, self.run.attempt)


class Settled(Struct, frozen=True):
    """An orphan's end. `last` is its last frame: of the next attempt, where followers have seen frames of this one."""

    orphan: Orphan
    status: Status
    text: Recorded
    usage: runs.Usage
    last: feed.Frame
    failure: Failure | None = None


async def taken(database: Database, claims: Sequence[Claim]) -> list[UUID]:
    """Those whose rows say otherwise. A run without a row nobody else can know of."""
    rows = await database.fetch(
        """SELECT id FROM runs JOIN unnest($1::uuid[], $2::text[], $3::int[]) AS given (id, holder, attempt) USING (id)
        WHERE runs.holder <> given.holder OR runs.attempt <> given.attempt""",
        *_columns(claims),
    )
    return [row["id"] for row in rows]


async def get(database: Database, run_id: UUID) -> Orphan | None:
    row = await database.fetchrow(f"SELECT {', '.join(RUN_COLUMNS)}, app_id, model_id FROM runs WHERE id = $1", run_id)
    return None if row is None else _orphan(row)


async def find(database: Database, holder: str, held: list[UUID], *, limit: int) -> list[Orphan]:
    """Runs whose holder's lease has expired, and those of this holder that it does not hold. A holder without a valid
    lease of its own finds none.
    """
    rows = await database.fetch(
        f"""WITH alive AS MATERIALIZED (SELECT name FROM leases WHERE name = holder AND until >= now())
        SELECT {", ".join(RUN_COLUMNS)}, app_id, model_id FROM runs
        WHERE status = 'running' AND EXISTS (SELECT FROM alive WHERE name = $1)
            AND CASE WHEN holder = $1 THEN id <> ALL($2) ELSE NOT EXISTS (SELECT FROM alive WHERE name = holder) END
        LIMIT $3""",
        holder,
        held,
        limit,
    )
    return [_orphan(row) for row in rows]


def _orphan(row: Record) -> Orphan:
    return Orphan(msgspec.convert(dict(row), Run), row["app_id"], row["model_id"])


async def alive(connection: Connection, holders: Sequence[str]) -> set[str]:
    """Those of the holders that are. The dead can't come back to life before this transaction has ended: who renews
    a lease after it finds out what was done here.
    """
    rows = await connection.fetch(
        "SELECT name, until >= now() AS alive FROM leases WHERE name = ANY($1) ORDER BY name FOR UPDATE",
        list(set(holders)),
    )
    return {row["name"] for row in rows if row["alive"]}


_PUT_BACK = """
WITH given AS (SELECT * FROM unnest($1::uuid[], $2::text[], $3::int[]) AS given (id, holder, attempt)),
free AS (SELECT id FROM runs WHERE id = ANY($1) ORDER BY id FOR UPDATE SKIP LOCKED),
waiting AS (
    UPDATE runs SET status = 'queued', holder = '', attempt = runs.attempt + 1 FROM given JOIN free USING (id)
    WHERE runs.id = given.id AND runs.holder = given.holder AND runs.attempt = given.attempt AND status = 'running'
    RETURNING runs.id
),
forgotten AS (DELETE FROM run_parts USING waiting WHERE run_id = waiting.id)
SELECT id FROM waiting
"""


async def put_back(connection: Connection, claims: Sequence[Claim]) -> set[UUID]:
    """Lets runs wait for another attempt; the ids of those that were still as claimed."""
    rows = await connection.fetch(_PUT_BACK, *_columns(claims))
    return {row["id"] for row in rows}


_SETTLE = """
WITH given AS (
    SELECT * FROM unnest($1::uuid[], $2::text[], $3::int[], $4::text[], $5::text[], $6::int[], $7::text[], $8::text[],
        $9::bytea[], $10::text[], $11::text[])
    AS given (id, holder, attempt, found, status, ended_in, output, thinking, frames, usage, failure)
),
free AS (SELECT id FROM runs WHERE id = ANY($1) ORDER BY id FOR UPDATE SKIP LOCKED),
settled AS (
    UPDATE runs SET status = given.status, attempt = given.ended_in, output = given.output, thinking = given.thinking,
        frames = given.frames, usage = given.usage::jsonb, failure = given.failure::jsonb, finished_at = now(),
        request = NULL
    FROM given JOIN free USING (id)
    WHERE runs.id = given.id AND runs.holder = given.holder AND runs.attempt = given.attempt
        AND runs.status = given.found
    RETURNING runs.id
),
forgotten AS (DELETE FROM run_parts USING settled WHERE run_id = settled.id)
SELECT id FROM settled
"""


async def settle(connection: Connection, ends: Sequence[Settled]) -> set[UUID]:
    """Ends runs; the ids of those that were still as they were found."""
    given = list(zip(*map(_end, ends), strict=True))
    return {row["id"] for row in await connection.fetch(_SETTLE, *given)}


def _end(end: Settled) -> tuple[object, ...]:
    run = end.orphan.run
    found = (run.id, run.holder, run.attempt, run.status)
    text = (end.text.output, end.text.thinking, end.text.cut)
    return (*found, end.status, end.last.attempt, *text, encoded(end.usage), end.failure and encoded(end.failure))


def _columns(claims: Sequence[Claim]) -> tuple[list[UUID], list[str], list[int]]:
    return (
        [claim.run_id for claim in claims],
        [claim.holder for claim in claims],
        [claim.attempt for claim in claims],
    )
