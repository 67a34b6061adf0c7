"""Claims: what is due next in the queue, taken in batches.

A claim lasts as long as an attempt may take and `SETTLE_SECONDS`; what its holder has not settled by then is somebody
else's to do. So a delivery is made at least once, and twice only where a process died or lost its database in between.
"""

from collections.abc import Collection, Sequence
from uuid import UUID

from asyncpg import Record
from msgspec import Struct

from libs.postgres.database import Connection, Database
from services.webhook_dispatcher.room import Room
from services.webhook_dispatcher.store.queue import by_index
from services.webhook_dispatcher.turns import Taken, Turns

SETTLE_SECONDS = 5.0

_READY = "claimed_until IS NULL AND NOT waits AND NOT ordered AND slow = $6"
_ROOM = """
    WITH RECURSIVE endpoint_room AS (
        SELECT * FROM unnest($1::uuid[], $2::int[], $3::int[]) AS room (endpoint_id, open, most)
    ), workspace_room AS (
        SELECT * FROM unnest($4::uuid[], $5::int[]) AS room (workspace_id, open)
    ), full_endpoints AS (
        SELECT endpoint_id FROM endpoint_room WHERE open >= most
    ), full_workspaces AS (
        SELECT workspace_id FROM workspace_room WHERE open >= $8
    )
"""
# Workspaces and endpoints are stepped through in the index, so the length of a backlog does not matter; those that have
# no room are stepped over.
_IN_TURN = f"""
    , workspace AS (
        (SELECT workspace_id, 1 AS place FROM queue WHERE {_READY} AND workspace_id > $11
         ORDER BY workspace_id LIMIT 1)
        UNION ALL
        SELECT next.workspace_id, place + 1 FROM workspace CROSS JOIN LATERAL (
            SELECT queue.workspace_id FROM queue WHERE {_READY} AND queue.workspace_id > workspace.workspace_id
            ORDER BY queue.workspace_id LIMIT 1
        ) AS next WHERE place < $12
    ), turn AS (
        SELECT workspace_id, coalesce(reached, '00000000-0000-0000-0000-000000000000') AS reached,
               least($8 - coalesce(open, 0), greatest(1, $9::int / count(*) OVER ()))::int AS share
        FROM workspace
            LEFT JOIN workspace_room USING (workspace_id)
            LEFT JOIN unnest($13::uuid[], $14::uuid[]) AS turns (workspace_id, reached) USING (workspace_id)
        WHERE workspace_id NOT IN (SELECT workspace_id FROM full_workspaces)
    ), endpoint AS (
        SELECT workspace_id, near.endpoint_id, share
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
    ), far AS (
        SELECT max(workspace_id::text)::uuid AS reached FROM workspace HAVING max(place) >= $12
    )
"""
_AMONG = f"""
    , due AS (
        SELECT workspace_id, endpoint_id, place
        FROM unnest($11::uuid[], $12::uuid[]) WITH ORDINALITY AS named (workspace_id, endpoint_id, place)
            CROSS JOIN LATERAL (
                SELECT FROM queue
                WHERE {_READY} AND workspace_id = named.workspace_id AND endpoint_id = named.endpoint_id
                ORDER BY due_at LIMIT 1
            ) AS any_due
        WHERE endpoint_id NOT IN (SELECT endpoint_id FROM full_endpoints)
          AND workspace_id NOT IN (SELECT workspace_id FROM full_workspaces)
        LIMIT $9
    ), placed AS (
        SELECT workspace_id, endpoint_id, row_number() OVER (PARTITION BY workspace_id ORDER BY place) AS place,
               least($8 - coalesce(open, 0),
                     greatest(1, $9::int / (SELECT count(DISTINCT workspace_id) FROM due)))::int AS share
        FROM due LEFT JOIN workspace_room USING (workspace_id)
    ), endpoint AS (
        SELECT workspace_id, endpoint_id, share FROM placed WHERE place <= share
    ), far AS (SELECT NULL::uuid AS reached)
"""
# What is for endpoints that fail, and is found in the quick lane, changes to the slow one.
_TAKE = f"""
    , known AS (
        SELECT endpoint.*, greatest(1, share / count(*) OVER (PARTITION BY workspace_id)) AS quota,
               NOT $6 AND failing_since IS NOT NULL AS slows,
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
        SELECT due.*, known.workspace_id, known.endpoint_id, share, least(room, quota) AS quota
        FROM known CROSS JOIN LATERAL (
            SELECT delivery_id, attempts + 1, event_id, event FROM queue
            WHERE {_READY} AND workspace_id = known.workspace_id AND endpoint_id = known.endpoint_id AND due_at <= now()
            ORDER BY due_at LIMIT least(room, quota) FOR UPDATE SKIP LOCKED
        ) AS due WHERE NOT slows
    ), claimed AS (
        UPDATE queue SET claimed_until = now() + make_interval(secs => $10)
        WHERE delivery_id = ANY (ARRAY(SELECT delivery_id FROM chosen))
    )
    SELECT chosen.*, (SELECT count(*) FROM moved) AS moved, (SELECT reached FROM far) AS reached
    FROM (VALUES (1)) AS one LEFT JOIN chosen ON true
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
    secrets: tuple[bytes, ...]
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
    ordered: bool = False


class Batch(Struct, frozen=True):
    """What was claimed. `more`: there may be more that is due and has room."""

    claimed: list[Claimed]
    more: bool


class Asked(Struct, frozen=True):
    """At most so many deliveries of a lane; an attempt at one may take `seconds`."""

    slow: bool
    most: int
    seconds: float


async def in_turn(database: Database, room: Room, turns: Turns, asked: Asked, *, full: Collection[UUID] = ()) -> Batch:
    """What is due, as far as there is room for it: workspaces in turn, in each of them its endpoints, at each of those
    the longest due first. Workspaces that are `full` are left out.
    """
    width = min(turns.width, asked.most + len(full))
    reached = [list(turns.endpoints), list(turns.endpoints.values())]
    arguments = (*_arguments(room, asked, full), turns.workspace, width, *reached)
    claimed, rows = await _claim(database, _IN_TURN, arguments, slow=asked.slow)
    taken = [Taken(row["workspace_id"], row["endpoint_id"], row["share"], row["quota"]) for row in rows if row["share"]]
    more = turns.took(taken, reached=rows[0]["reached"], full=full)
    return Batch(claimed, more or rows[0]["moved"] > 0)


async def among(database: Database, room: Room, endpoints: Sequence[tuple[UUID, UUID]], asked: Asked) -> Batch:
    """The same of these endpoints alone: each is named with its workspace before it."""
    columns = [list(column) for column in zip(*endpoints, strict=True)]
    claimed, _ = await _claim(database, _AMONG, (*_arguments(room, asked), *columns), slow=asked.slow)
    # Shares are rounded down: half as many as were asked for may be all that the shares had room for.
    return Batch(claimed, 2 * len(claimed) >= asked.most)


async def _claim(
    database: Database, which: str, arguments: Sequence[object], *, slow: bool
) -> tuple[list[Claimed], list[Record]]:
    async with database.transaction() as connection:
        await by_index(connection)
        rows = await connection.fetch(_ROOM + which + _TAKE, *arguments)
        found = [row for row in rows if row["delivery_id"] is not None]
        return await whole(connection, found, slow=slow) if found else [], rows


def _arguments(room: Room, asked: Asked, full: Collection[UUID] = ()) -> tuple[object, ...]:
    most, known = room.limits.of_workspace(slow=asked.slow), room.known()
    workspaces = {**room.workspaces(slow=asked.slow), **dict.fromkeys(full, most)}
    return (
        list(known),
        [open for open, _ in known.values()],
        [most for _, most in known.values()],
        list(workspaces),
        list(workspaces.values()),
        asked.slow,
        room.limits.each,
        most,
        asked.most,
        asked.seconds + SETTLE_SECONDS,
    )


async def whole(connection: Connection, found: Sequence[Record], *, slow: bool, ordered: bool = False) -> list[Claimed]:
    """What was claimed, with what is the same for many of them fetched once."""
    rows = await connection.fetch(_TARGETS, list({row["endpoint_id"] for row in found}))
    targets = {id: Target(id, url, active, tuple(secrets), key) for id, url, active, secrets, key in rows}
    rows = await connection.fetch(_BODIES, list({row["event_id"] for row in found}))
    bodies = {(event_id, event): body for event_id, event, body in rows}
    claimed: list[Claimed] = []
    for delivery_id, number, event_id, event, workspace_id, endpoint_id, *_ in found:
        body = bodies.get((event_id, event))
        claimed.append(Claimed(delivery_id, number, event, body, workspace_id, targets[endpoint_id], slow, ordered))
    return claimed
