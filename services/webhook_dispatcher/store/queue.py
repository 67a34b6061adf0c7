"""The queue in Postgres: deliveries that are due or will be, claimed in batches and settled in batches.

A claim lasts as long as an attempt may take and `SETTLE_SECONDS`; what its holder has not settled by then is somebody
else's to do. So a delivery is made at least once, and twice only where a process died or lost its database in between.
"""

from collections import Counter
from collections.abc import Sequence
from uuid import UUID

from asyncpg import Record
from msgspec import Struct

from libs.postgres.database import Connection, Database
from services.webhook_dispatcher.notices import Failed
from services.webhook_dispatcher.outcome import Outcome
from services.webhook_dispatcher.room import Room
from services.webhook_dispatcher.turns import Taken, Turns

SETTLE_SECONDS = 5.0

# The queue is empty most of the time, and what Postgres knows of it may be from then. A plan made for an empty table
# reads a whole backlog for each of its rows; so rows are found by the index that has them in the order asked for.
_BY_INDEX = "SET LOCAL enable_seqscan = off; SET LOCAL enable_sort = off"

_READY = "claimed_until IS NULL AND NOT waits AND slow = $6"
# Workspaces and endpoints are stepped through in the index, so the length of a backlog does not matter; those that have
# no room are stepped over. What is for endpoints that fail, and is found in the quick lane, changes to the slow one.
_CLAIM = f"""
    WITH RECURSIVE endpoint_room AS (
        SELECT * FROM unnest($1::uuid[], $2::int[], $3::int[]) AS room (endpoint_id, open, most)
    ), workspace_room AS (
        SELECT * FROM unnest($4::uuid[], $5::int[]) AS room (workspace_id, open)
    ), full_endpoints AS (
        SELECT endpoint_id FROM endpoint_room WHERE open >= most
    ), full_workspaces AS (
        SELECT workspace_id FROM workspace_room WHERE open >= $8
    ), workspace AS (
        (SELECT workspace_id, 1 AS place FROM queue WHERE {_READY} AND workspace_id > $11
         ORDER BY workspace_id LIMIT 1)
        UNION ALL
        SELECT next.workspace_id, place + 1 FROM workspace CROSS JOIN LATERAL (
            SELECT queue.workspace_id FROM queue WHERE {_READY} AND queue.workspace_id > workspace.workspace_id
            ORDER BY queue.workspace_id LIMIT 1
        ) AS next WHERE place < $12 + (SELECT count(*) FROM full_workspaces)
    ), turn AS (
        SELECT workspace_id, coalesce(reached, '00000000-0000-0000-0000-000000000000') AS reached,
               least($8 - coalesce(open, 0), greatest(1, $9 / count(*) OVER ()))::int AS share
        FROM (SELECT workspace_id FROM workspace WHERE workspace_id NOT IN (SELECT workspace_id FROM full_workspaces)
              ORDER BY workspace_id LIMIT least($9, $12)) AS chosen
            LEFT JOIN workspace_room USING (workspace_id)
            LEFT JOIN unnest($13::uuid[], $14::uuid[]) AS turns (workspace_id, reached) USING (workspace_id)
    ), endpoint AS (
        SELECT turn.*, near.endpoint_id, greatest(1, share / count(*) OVER (PARTITION BY workspace_id)) AS quota
        FROM turn CROSS JOIN LATERAL (
            WITH RECURSIVE step AS (
                (SELECT workspace_id, endpoint_id, 1 AS place FROM queue
                 WHERE {_READY} AND (workspace_id, endpoint_id) > (turn.workspace_id, reached)
                 ORDER BY workspace_id, endpoint_id LIMIT 1)
                UNION ALL
                SELECT next.*, place + 1 FROM step CROSS JOIN LATERAL (
                    SELECT workspace_id, endpoint_id FROM queue
                    WHERE {_READY} AND (workspace_id, endpoint_id) > (step.workspace_id, step.endpoint_id)
                    ORDER BY workspace_id, endpoint_id LIMIT 1
                ) AS next
                WHERE step.workspace_id = turn.workspace_id
                  AND place < share + (SELECT count(*) FROM full_endpoints)
            )
            SELECT endpoint_id FROM step
            WHERE workspace_id = turn.workspace_id AND endpoint_id NOT IN (SELECT endpoint_id FROM full_endpoints)
            ORDER BY endpoint_id LIMIT share
        ) AS near
    ), known AS (
        SELECT endpoint.*, NOT $6 AND failing_since IS NOT NULL AS slows,
               coalesce(most, CASE WHEN failing_since IS NULL THEN $7 ELSE 1 END) - coalesce(open, 0) AS room
        FROM endpoint LEFT JOIN endpoint_room USING (endpoint_id) CROSS JOIN LATERAL (
            SELECT failing_since FROM endpoints WHERE id = endpoint_id LIMIT 1
        ) AS endpoints
    ), moved AS (
        UPDATE queue SET slow = true WHERE delivery_id = ANY (ARRAY(
            SELECT delivery_id FROM known CROSS JOIN LATERAL (
                SELECT delivery_id FROM queue
                WHERE {_READY} AND workspace_id = known.workspace_id AND endpoint_id = known.endpoint_id
                ORDER BY due_at LIMIT 500 FOR UPDATE SKIP LOCKED
            ) AS found WHERE slows
        )) RETURNING delivery_id
    ), chosen AS (
        SELECT due.*, known.workspace_id, known.endpoint_id, share, quota FROM known CROSS JOIN LATERAL (
            SELECT delivery_id, attempts + 1, event_id, event FROM queue
            WHERE {_READY} AND workspace_id = known.workspace_id AND endpoint_id = known.endpoint_id AND due_at <= now()
            ORDER BY due_at LIMIT least(room, quota) FOR UPDATE SKIP LOCKED
        ) AS due WHERE NOT slows
    ), claimed AS (
        UPDATE queue SET claimed_until = now() + make_interval(secs => $10)
        WHERE delivery_id = ANY (ARRAY(SELECT delivery_id FROM chosen))
    )
    SELECT (SELECT count(*) FROM moved) AS moved, chosen.* FROM (VALUES (1)) AS one LEFT JOIN chosen ON true
"""
_TARGETS = """
    SELECT id, url, status = 'active',
           ARRAY[secret] || ARRAY(SELECT old.secret FROM old_secrets AS old
                                  WHERE old.endpoint_id = endpoints.id AND valid_until > now()
                                  ORDER BY valid_until DESC LIMIT 4),
           signing_key
    FROM endpoints WHERE id = ANY($1)
"""
_BODIES = "SELECT event_id, event, body FROM payloads WHERE event_id = ANY($1)"


class Target(Struct, frozen=True):
    """Where deliveries go: `secrets`, newest first, and the `signing_key` are sealed."""

    id: UUID
    url: str
    active: bool
    secrets: list[bytes]
    signing_key: bytes | None


class Claimed(Struct, frozen=True):
    """`number` is that of the attempt to make now. The `body` is None when it is kept no longer."""

    id: UUID
    number: int
    event: str
    body: bytes | None
    workspace_id: UUID
    target: Target
    slow: bool


class Batch(Struct, frozen=True):
    """What was claimed. `more`: there may be more that is due and has room."""

    claimed: list[Claimed]
    more: bool


async def claim(database: Database, room: Room, turns: Turns, *, slow: bool, seconds: float) -> Batch:
    """Deliveries of a lane that are due, as far as there is room for them: workspaces in turn, in each of them its
    endpoints, at each of those the longest due first.

    An attempt at one may take `seconds`.
    """
    async with database.transaction() as connection:
        await connection.execute(_BY_INDEX)
        rows = await connection.fetch(_CLAIM, *_asked(room, turns, slow=slow, seconds=seconds))
        found = [row for row in rows if row["delivery_id"] is not None]
        claimed = await _claimed(connection, found, slow=slow) if found else []
    taken = [Taken(row["workspace_id"], row["endpoint_id"], row["share"], row["quota"]) for row in found]
    return Batch(claimed, turns.took(taken) or rows[0]["moved"] > 0)


def _asked(room: Room, turns: Turns, *, slow: bool, seconds: float) -> tuple[object, ...]:
    known, workspaces = room.known(), room.workspaces(slow=slow)
    return (
        list(known),
        [open for open, _ in known.values()],
        [most for _, most in known.values()],
        list(workspaces),
        list(workspaces.values()),
        slow,
        room.limits.each,
        room.limits.of_workspace(slow=slow),
        room.free(slow=slow),
        seconds + SETTLE_SECONDS,
        turns.workspace,
        turns.width,
        list(turns.endpoints),
        list(turns.endpoints.values()),
    )


async def _claimed(connection: Connection, found: Sequence[Record], *, slow: bool) -> list[Claimed]:
    """With what is the same for many of them, fetched once."""
    rows = await connection.fetch(_TARGETS, list({row["endpoint_id"] for row in found}))
    targets = {row["id"]: Target(*row) for row in rows}
    rows = await connection.fetch(_BODIES, list({row["event_id"] for row in found}))
    bodies = {(event_id, event): body for event_id, event, body in rows}
    claimed: list[Claimed] = []
    for _, delivery_id, number, event_id, event, workspace_id, endpoint_id, *_ in found:
        body = bodies.get((event_id, event))
        claimed.append(Claimed(delivery_id, number, event, body, workspace_id, targets[endpoint_id], slow))
    return claimed


async def _fetch(database: Database, sql: str, *args: object) -> list[Record]:
    async with database.transaction() as connection:
        await connection.execute(_BY_INDEX)
        return await connection.fetch(sql, *args)


async def delivered(connection: Connection, ids: Sequence[UUID]) -> dict[UUID, int]:
    """Take them out, whoever may be at them. How many there were, by workspace: each counts once."""
    await connection.execute(_BY_INDEX)
    rows = await connection.fetch("DELETE FROM queue WHERE delivery_id = ANY($1) RETURNING workspace_id", ids)
    return Counter(row["workspace_id"] for row in rows)


async def failed(connection: Connection, outcomes: Sequence[Outcome]) -> list[Failed]:
    """Put back what is to be tried again, and take out what is not: that has failed for good, and is returned.

    An outcome counts only for the attempt that is due in the queue: one that comes too late, when another process has
    taken over, changes nothing.
    """
    await connection.execute(_BY_INDEX)
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
            SET attempts = number, due_at = now() + make_interval(secs => retry_in), claimed_until = NULL, waits = true
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
        UPDATE queue SET waits = false, slow = failing_since IS NOT NULL FROM endpoints WHERE delivery_id IN (
            SELECT delivery_id FROM queue WHERE waits AND due_at <= now()
            ORDER BY due_at LIMIT 1000 FOR UPDATE SKIP LOCKED
        ) AND endpoints.id = endpoint_id
        """,
    )


async def quicken(database: Database) -> bool:
    """Back to the others with what waits for endpoints that answer again, a part at a time. Whether there was any."""
    moved = await _fetch(
        database,
        """
        UPDATE queue SET slow = false WHERE delivery_id IN (
            SELECT delivery_id FROM queue JOIN endpoints ON endpoints.id = endpoint_id
            WHERE slow AND failing_since IS NULL AND claimed_until IS NULL AND NOT waits
            LIMIT 1000 FOR UPDATE OF queue SKIP LOCKED
        ) RETURNING delivery_id
        """,
    )
    return bool(moved)
