"""The queue in Postgres: deliveries that are due or will be, claimed in batches and settled in batches.

A claim lasts as long as an attempt may take and `SETTLE_SECONDS`; what its holder has not settled by then is somebody
else's to do. So a delivery is made at least once, and twice only where a process died or lost its database in between.
"""

from collections import Counter
from collections.abc import Sequence
from uuid import UUID

from msgspec import Struct

from libs.postgres.database import Connection, Database
from services.webhook_dispatcher.notices import Failed
from services.webhook_dispatcher.outcome import Outcome
from services.webhook_dispatcher.room import Room

SETTLE_SECONDS = 5.0
# A claim looks at so many due rows for each that it wants, so that one endpoint's backlog does not hide the others.
_SIGHT = 4


_CLAIM = """
    WITH endpoint_room AS (
        SELECT * FROM unnest($1::uuid[], $2::int[], $3::int[]) AS room (endpoint_id, open, most)
    ), workspace_room AS (
        SELECT * FROM unnest($4::uuid[], $5::int[]) AS room (workspace_id, workspace_open)
    ), due AS MATERIALIZED (
        SELECT delivery_id, endpoint_id, due_at FROM queue
        WHERE slow = $6 AND claimed_until IS NULL AND due_at <= now()
          AND endpoint_id NOT IN (SELECT endpoint_id FROM endpoint_room WHERE open >= most)
          AND endpoint_id NOT IN (SELECT id FROM endpoints WHERE workspace_id IN (
              SELECT workspace_id FROM workspace_room WHERE workspace_open >= $8))
        ORDER BY due_at LIMIT $9 FOR UPDATE SKIP LOCKED
    ), known AS (
        SELECT delivery_id, endpoint_id, workspace_id, due_at, coalesce(open, 0) AS open,
               coalesce(workspace_open, 0) AS workspace_open, NOT $6 AND failing_since IS NOT NULL AS slows,
               coalesce(most, CASE WHEN failing_since IS NULL THEN $7::int ELSE 1 END) AS most
        FROM due JOIN (SELECT id AS endpoint_id, workspace_id, failing_since FROM endpoints) AS endpoint
            USING (endpoint_id)
            LEFT JOIN endpoint_room USING (endpoint_id)
            LEFT JOIN workspace_room USING (workspace_id)
    ), moved AS (
        UPDATE queue SET slow = true FROM known
        WHERE slows AND queue.delivery_id = known.delivery_id RETURNING queue.delivery_id
    ), placed AS (
        SELECT *, row_number() OVER (PARTITION BY endpoint_id ORDER BY due_at) + open AS place
        FROM known WHERE NOT slows
    ), admitted AS (
        SELECT *, row_number() OVER (PARTITION BY workspace_id ORDER BY due_at) + workspace_open AS workspace_place
        FROM placed WHERE place <= most
    ), chosen AS (
        SELECT delivery_id FROM admitted WHERE workspace_place <= $8 ORDER BY due_at LIMIT $10
    ), claimed AS (
        UPDATE queue SET claimed_until = now() + make_interval(secs => $11)
        FROM chosen WHERE queue.delivery_id = chosen.delivery_id
        RETURNING queue.delivery_id, endpoint_id, attempts + 1 AS number, event_id, event
    )
    SELECT (SELECT count(*) FROM moved) AS moved, taken.* FROM (VALUES (1)) AS one LEFT JOIN (
        SELECT delivery_id, claimed.endpoint_id, workspace_id, $6, number, claimed.event, url, status = 'active',
               ARRAY[secret] || ARRAY(SELECT old.secret FROM old_secrets AS old
                                      WHERE old.endpoint_id = claimed.endpoint_id AND valid_until > now()
                                      ORDER BY valid_until DESC LIMIT 4),
               signing_key,
               (SELECT body FROM payloads AS payload
                WHERE payload.event_id = claimed.event_id AND payload.event = claimed.event)
        FROM claimed JOIN endpoints ON endpoints.id = claimed.endpoint_id
    ) AS taken ON true
"""


class Claimed(Struct, frozen=True):
    """`number` is that of the attempt to make now; `secrets`, newest first, and the `signing_key` are sealed.

    The `body` is None when it is kept no longer.
    """

    id: UUID
    endpoint_id: UUID
    workspace_id: UUID
    slow: bool
    number: int
    event: str
    url: str
    active: bool
    secrets: list[bytes]
    signing_key: bytes | None
    body: bytes | None


class Batch(Struct, frozen=True):
    """What was claimed. `moved`: how many due ones were found to be for endpoints that fail, and changed lanes."""

    claimed: list[Claimed]
    moved: int


async def claim(database: Database, room: Room, *, slow: bool, seconds: float) -> Batch:
    """Deliveries of a lane that are due, the longest due first, as far as there is room for them.

    An attempt at one may take `seconds`.
    """
    limit, known = room.free_slow if slow else room.free, room.known()
    rows = await database.fetch(
        _CLAIM,
        list(known),
        [open for open, _ in known.values()],
        [most for _, most in known.values()],
        list(room.workspaces),
        list(room.workspaces.values()),
        slow,
        room.limits.each,
        room.limits.workspace,
        limit * _SIGHT,
        limit,
        seconds + SETTLE_SECONDS,
    )
    return Batch([Claimed(*row[1:]) for row in rows if row[1] is not None], rows[0]["moved"])


class Ended(Struct, frozen=True):
    """What has arrived, by workspace, and what has failed for good."""

    arrived: dict[UUID, int]
    failed: list[Failed]


async def settle(connection: Connection, outcomes: Sequence[Outcome]) -> Ended:
    """Take out what has ended, each once, and put back what is to be tried again.

    An outcome counts only for the attempt that is due in the queue: one that comes too late, when another process has
    taken over, changes nothing unless it was a success.
    """
    rows = await connection.fetch(
        """
        WITH outcome AS (
            SELECT * FROM unnest($1::uuid[], $2::int[], $3::bool[], $4::float8[])
                AS outcome (delivery_id, number, delivered, retry_in)
        ), ended AS (
            DELETE FROM queue USING outcome
            WHERE queue.delivery_id = outcome.delivery_id AND (delivered OR retry_in IS NULL AND attempts = number - 1)
            RETURNING queue.delivery_id, endpoint_id, event, delivered
        ), again AS (
            UPDATE queue SET attempts = number, due_at = now() + make_interval(secs => retry_in), claimed_until = NULL
            FROM outcome
            WHERE queue.delivery_id = outcome.delivery_id AND retry_in IS NOT NULL AND attempts = number - 1
        )
        SELECT delivery_id, endpoint_id, workspace_id, url, event, delivered
        FROM ended JOIN endpoints ON endpoints.id = endpoint_id
        """,
        [outcome.delivery_id for outcome in outcomes],
        [outcome.attempt.number for outcome in outcomes],
        [outcome.delivered for outcome in outcomes],
        [outcome.retry_in for outcome in outcomes],
    )
    arrived = Counter(row["workspace_id"] for row in rows if row["delivered"])
    return Ended(arrived, [Failed(*row[:-1]) for row in rows if not row["delivered"]])


async def release(database: Database) -> bool:
    """Give back what was claimed by a process that is no more. Whether there was any."""
    freed = await database.fetch(
        "UPDATE queue SET claimed_until = NULL WHERE claimed_until < now() RETURNING delivery_id"
    )
    return bool(freed)


async def quicken(database: Database) -> bool:
    """Back to the others with what waits for endpoints that answer again, a part at a time. Whether there was any."""
    moved = await database.fetch(
        """
        UPDATE queue SET slow = false WHERE delivery_id IN (
            SELECT delivery_id FROM queue JOIN endpoints ON endpoints.id = endpoint_id
            WHERE slow AND failing_since IS NULL AND claimed_until IS NULL LIMIT 1000 FOR UPDATE OF queue SKIP LOCKED
        ) RETURNING delivery_id
        """
    )
    return bool(moved)
