"""The log of deliveries in Postgres: what was to be delivered to whom, and how each attempt went.

Rows are only ever added.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from msgspec import Struct

from libs.contracts import deliveries
from libs.postgres.database import Connection, Database
from libs.postgres.text import clean
from services.webhook_dispatcher import outcome
from services.webhook_dispatcher.outcome import Outcome
from services.webhook_dispatcher.payloads import Message

_ADD_TO = """
    WITH endpoint AS (
        SELECT id, workspace_id, failing_since FROM endpoints WHERE id = $1 AND status = 'active' FOR KEY SHARE
    ), payload AS (
        INSERT INTO payloads (event_id, event, body) SELECT $2, $3, $4 FROM endpoint ON CONFLICT DO NOTHING
    ), added AS (
        INSERT INTO deliveries (id, workspace_id, endpoint_id, event_id, event, created_at)
        SELECT delivery_id($2, id), workspace_id, id, $2, $3, $5 FROM endpoint
        ON CONFLICT DO NOTHING RETURNING id
    )
    INSERT INTO queue (delivery_id, workspace_id, endpoint_id, event_id, event, slow)
    SELECT added.id, workspace_id, endpoint.id, $2, $3, failing_since IS NOT NULL FROM added CROSS JOIN endpoint
"""


async def add_to(connection: Connection, message: Message, endpoint_id: UUID) -> UUID:
    """Queue a message for this endpoint alone, whatever it subscribed to. Its delivery's id, added now or before."""
    await connection.execute(_ADD_TO, endpoint_id, message.event_id, message.event, message.body, message.at)
    return await connection.fetchval("SELECT delivery_id($1, $2)", message.event_id, endpoint_id)


_LATEST = """
    SELECT delivery.id, delivery.endpoint_id, delivery.event_id, delivery.event, delivery.created_at,
           delivery.redelivery_of,
           queue.delivery_id IS NOT NULL AS waits, queue.due_at,
           ARRAY(SELECT ROW (number, at, latency_ms, status_code, error, excerpt) FROM attempts
                 WHERE attempts.delivery_id = delivery.id AND attempts.delivery_id >= $3 ORDER BY at) AS attempts
    FROM deliveries AS delivery LEFT JOIN queue ON queue.delivery_id = delivery.id
    WHERE delivery.endpoint_id = $1 AND delivery.id >= $3
    ORDER BY delivery.id DESC LIMIT $2
"""
_RECENT = timedelta(days=2)
# An event may be older than the endpoint that it is delivered to.
_BEFORE = timedelta(days=1)


class Sent(Struct, frozen=True):
    """A delivery as it was made; `kept` while its payload is."""

    id: UUID
    endpoint_id: UUID
    event_id: UUID
    event: str
    kept: bool


async def find(connection: Connection, workspace_id: UUID, id: UUID) -> Sent | None:
    row = await connection.fetchrow(
        """
        SELECT id, endpoint_id, event_id, event,
               EXISTS (SELECT FROM payloads AS payload
                       WHERE payload.event_id = delivery.event_id AND payload.event = delivery.event)
        FROM deliveries AS delivery WHERE id = $2 AND workspace_id = $1
        """,
        workspace_id,
        id,
    )
    return Sent(*row) if row else None


async def add_again(connection: Connection, workspace_id: UUID, sent: Sent, *, id: UUID, at: datetime) -> None:
    """Queue the same event once more, under another id; once, however often that is asked for."""
    await connection.execute(
        """
        WITH added AS (
            INSERT INTO deliveries (id, workspace_id, endpoint_id, event_id, event, created_at, redelivery_of)
            VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING
            RETURNING id, endpoint_id, event_id, event
        )
        INSERT INTO queue (delivery_id, workspace_id, endpoint_id, event_id, event)
        SELECT id, $2, endpoint_id, event_id, event FROM added
        """,
        id,
        workspace_id,
        sent.endpoint_id,
        sent.event_id,
        sent.event,
        at,
        sent.id,
    )


async def add_attempts(connection: Connection, outcomes: Sequence[Outcome]) -> None:
    await connection.execute(
        """
        INSERT INTO attempts (delivery_id, number, at, latency_ms, status_code, error, excerpt)
        SELECT * FROM unnest($1::uuid[], $2::int[], $3::timestamptz[], $4::float8[], $5::int[], $6::text[], $7::text[])
        """,
        [made.delivery_id for made in outcomes],
        [made.attempt.number for made in outcomes],
        [made.attempt.at for made in outcomes],
        [made.attempt.latency_ms for made in outcomes],
        [made.attempt.status_code for made in outcomes],
        [clean(made.attempt.error) for made in outcomes],
        [clean(made.attempt.excerpt) for made in outcomes],
    )


async def latest(database: Database, endpoint_id: UUID, limit: int, *, born: datetime) -> list[deliveries.Delivery]:
    """Newest first, with their attempts, all as they were at one moment; `born` is when the endpoint was made.

    The newest days alone are looked at where they have enough: each further day is a partition more to read.
    """
    first, recent = born - _BEFORE, datetime.now(UTC) - _RECENT
    rows = await database.fetch(_LATEST, endpoint_id, limit, _floor(max(first, recent)))
    if len(rows) < limit and first < recent:
        rows = await database.fetch(_LATEST, endpoint_id, limit, _floor(first))
    return [_delivery(row) for row in rows]


def _floor(moment: datetime) -> UUID:
    """No id of that moment or later is below it."""
    return UUID(int=int(moment.timestamp() * 1000) << 80)


def _delivery(row: Any) -> deliveries.Delivery:
    attempts = [deliveries.Attempt(*attempt) for attempt in row["attempts"]]
    return deliveries.Delivery(
        id=row["id"],
        endpoint_id=row["endpoint_id"],
        event_id=row["event_id"],
        event=row["event"],
        status=_status(attempts, waits=row["waits"]),
        attempts=attempts,
        created_at=row["created_at"],
        next_attempt_at=row["due_at"],
        redelivery_of=row["redelivery_of"],
    )


def _status(attempts: list[deliveries.Attempt], *, waits: bool) -> str:
    if waits:
        return "pending"
    return "delivered" if any(map(outcome.succeeded, attempts)) else "failed"
