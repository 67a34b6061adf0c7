"""The queue in Postgres: deliveries that are due or will be, claimed in batches and settled in batches.

A claim lasts as long as an attempt may take and `SETTLE_SECONDS`; what its holder has not settled by then is somebody
else's to do. So a delivery is made at least once, and twice only where a process died or lost its database in between.
"""

from collections.abc import Mapping, Sequence
from uuid import UUID

from msgspec import Struct

from libs.postgres.database import Connection, Database
from services.webhook_dispatcher.notices import Failed
from services.webhook_dispatcher.outcome import Outcome

SETTLE_SECONDS = 5.0
# A claim looks at so many due rows for each that it wants, so that one endpoint's backlog does not hide the others.
_SIGHT = 4


class Claimed(Struct, frozen=True):
    """`number` is that of the attempt to make now; `secrets`, newest first, and the `signing_key` are sealed.

    The `body` is None when it is kept no longer.
    """

    id: UUID
    endpoint_id: UUID
    number: int
    event: str
    url: str
    active: bool
    secrets: list[bytes]
    signing_key: bytes | None
    body: bytes | None


async def claim(
    database: Database, *, limit: int, each: int, busy: Mapping[UUID, int], seconds: float
) -> list[Claimed]:
    """Up to `limit` due deliveries, the longest due first, `each` for one endpoint with its `busy` ones counted in.

    An attempt at one may take `seconds`.
    """
    rows = await database.fetch(
        """
        WITH busy AS (
            SELECT * FROM unnest($1::uuid[], $2::int[]) AS busy (endpoint_id, open)
        ), due AS MATERIALIZED (
            SELECT delivery_id, endpoint_id, due_at FROM queue
            WHERE claimed_until IS NULL AND due_at <= now()
              AND endpoint_id NOT IN (SELECT endpoint_id FROM busy WHERE open >= $3)
            ORDER BY due_at LIMIT $4 FOR UPDATE SKIP LOCKED
        ), placed AS (
            SELECT delivery_id, due_at,
                   row_number() OVER (PARTITION BY endpoint_id ORDER BY due_at) + coalesce(open, 0) AS place
            FROM due LEFT JOIN busy USING (endpoint_id)
        ), chosen AS (
            SELECT delivery_id FROM placed WHERE place <= $3 ORDER BY due_at LIMIT $5
        ), claimed AS (
            UPDATE queue SET claimed_until = now() + make_interval(secs => $6)
            FROM chosen WHERE queue.delivery_id = chosen.delivery_id
            RETURNING queue.delivery_id, endpoint_id, attempts + 1 AS number, event_id, event
        )
        SELECT delivery_id, claimed.endpoint_id, number, claimed.event, url, status = 'active',
               ARRAY[secret] || ARRAY(SELECT old.secret FROM old_secrets AS old
                                      WHERE old.endpoint_id = claimed.endpoint_id AND valid_until > now()
                                      ORDER BY valid_until DESC LIMIT 4),
               signing_key,
               (SELECT body FROM payloads AS payload
                WHERE payload.event_id = claimed.event_id AND payload.event = claimed.event)
        FROM claimed JOIN endpoints ON endpoints.id = claimed.endpoint_id
        """,
        list(busy),
        list(busy.values()),
        each,
        limit * _SIGHT,
        limit,
        seconds + SETTLE_SECONDS,
    )
    return [Claimed(*row) for row in rows]


async def settle(connection: Connection, outcomes: Sequence[Outcome]) -> list[Failed]:
    """Take out what has ended and put back what is to be tried again. What thereby has failed for good.

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
        SELECT delivery_id, endpoint_id, workspace_id, url, event
        FROM ended JOIN endpoints ON endpoints.id = endpoint_id WHERE NOT delivered
        """,
        [outcome.delivery_id for outcome in outcomes],
        [outcome.attempt.number for outcome in outcomes],
        [outcome.delivered for outcome in outcomes],
        [outcome.retry_in for outcome in outcomes],
    )
    return [Failed(*row) for row in rows]


async def release(database: Database) -> bool:
    """Give back what was claimed by a process that is no more. Whether there was any."""
    freed = await database.fetch(
        "UPDATE queue SET claimed_until = NULL WHERE claimed_until < now() RETURNING delivery_id"
    )
    return bool(freed)
