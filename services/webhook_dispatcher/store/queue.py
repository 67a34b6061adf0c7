"""The queue in Postgres: what becomes of deliveries that were attempted, and of those that wait."""

from collections import Counter
from collections.abc import Sequence
from uuid import UUID

from asyncpg import Record

from libs.postgres.database import Connection, Database
from services.webhook_dispatcher.notices import Failed
from services.webhook_dispatcher.outcome import Outcome


async def by_index(connection: Connection) -> None:
    """For the rest of the transaction rows are found by the index that has them in the order asked for.

    The queue is empty most of the time, and what Postgres knows of it may be from then: a plan made for an empty table
    reads a whole backlog for each of its rows.
    """
    await connection.execute(
        "SET LOCAL enable_seqscan = off; SET LOCAL enable_sort = off; SET LOCAL enable_incremental_sort = off"
    )


async def _fetch(database: Database, sql: str, *args: object) -> list[Record]:
    async with database.transaction() as connection:
        await by_index(connection)
        return await connection.fetch(sql, *args)


async def delivered(connection: Connection, ids: Sequence[UUID]) -> dict[UUID, int]:
    """Take them out, whoever may be at them. How many there were, by workspace: each counts once."""
    await by_index(connection)
    rows = await connection.fetch("DELETE FROM queue WHERE delivery_id = ANY($1) RETURNING workspace_id", ids)
    return Counter(row["workspace_id"] for row in rows)


async def failed(connection: Connection, outcomes: Sequence[Outcome]) -> list[Failed]:
    """Put back what is to be tried again, and take out what is not: that has failed for good, and is returned.

    An outcome counts only for the attempt that is due in the queue: one that comes too late, when another process has
    taken over, changes nothing.
    """
    await by_index(connection)
    rows = await connection.fetch(
        """
        WITH outcome AS (
            SELECT * FROM unnest($1::uuid[], $2::int[], $3::float8[]) AS outcome (delivery_id, number, retry_in)
        ), ended AS (
            DELETE FROM queue USING outcome
            WHERE queue.delivery_id = ANY ($1) AND queue.delivery_id = outcome.delivery_id AND attempts = number - 1
              AND retry_in IS NULL
            RETURNING queue.delivery_id, endpoint_id, event
        ), again AS (
            UPDATE queue
            SET attempts = number, due_at = now() + make_interval(secs => retry_in), claimed_until = NULL,
                waits = NOT ordered
            FROM outcome
            WHERE queue.delivery_id = ANY ($1) AND queue.delivery_id = outcome.delivery_id AND attempts = number - 1
              AND retry_in IS NOT NULL
        )
        SELECT delivery_id, endpoint_id, workspace_id, url, event
        FROM ended JOIN endpoints ON endpoints.id = endpoint_id
        """,
        [outcome.delivery_id for outcome in outcomes],
        [outcome.attempt.number for outcome in outcomes],
        [outcome.retry_in for outcome in outcomes],
    )
    return [Failed(*row) for row in rows]


async def release(database: Database) -> bool:
    """Give back what was claimed by a process that is no more. Whether there was any."""
    freed = await _fetch(
        database, "UPDATE queue SET claimed_until = NULL WHERE claimed_until < now() RETURNING delivery_id"
    )
    return bool(freed)


async def ripen(database: Database) -> None:
    """What waited for its next attempt and has become due is waiting no more, a part at a time."""
    await _fetch(
        database,
        """
        UPDATE queue SET waits = false, slow = failing_since IS NOT NULL FROM endpoints WHERE delivery_id = ANY (ARRAY(
            SELECT delivery_id FROM queue WHERE waits AND due_at <= now()
            ORDER BY due_at LIMIT 1000 FOR UPDATE SKIP LOCKED
        )) AND endpoints.id = endpoint_id
        """,
    )


_QUICKEN = """
    UPDATE queue SET slow = false WHERE delivery_id = ANY (ARRAY(
        SELECT delivery_id FROM queue JOIN endpoints ON endpoints.id = endpoint_id
        WHERE slow AND failing_since IS NULL AND claimed_until IS NULL AND NOT waits AND NOT queue.ordered {which}
        LIMIT 1000 FOR UPDATE OF queue SKIP LOCKED
    )) RETURNING delivery_id
"""


async def quicken(connection: Connection, endpoints: Sequence[UUID]) -> None:
    """Back to the others with what waits for these, which answer again; a part of it."""
    await connection.execute(_QUICKEN.format(which="AND endpoint_id = ANY($1)"), endpoints)


async def quicken_all(database: Database) -> bool:
    """The same for whatever endpoint answers. Whether there was any."""
    return bool(await _fetch(database, _QUICKEN.format(which="")))
