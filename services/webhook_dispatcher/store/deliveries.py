"""The log of deliveries in Postgres: what was to be delivered to whom, and how each attempt went.

Rows are only ever added.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from msgspec import Struct

from libs.contracts import deliveries, public_events
from libs.postgres.database import Connection, Database
from libs.postgres.text import clean
from services.webhook_dispatcher import outcome
from services.webhook_dispatcher.outcome import Outcome
from services.webhook_dispatcher.payloads import Message

_ADD = """
    WITH message AS (
        SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::timestamptz[], $6::bytea[], $7::uuid[],
                             $8::text[])
            AS message (event_id, workspace_id, event, patterns, at, body, about, twins)
    ), wanted AS (
        SELECT delivery_id(event_id, endpoint.id) AS id, endpoint.id AS endpoint_id, status,
               failing_since IS NOT NULL AS slow, message.*
        FROM message JOIN endpoints AS endpoint USING (workspace_id)
        WHERE {which} FOR KEY SHARE OF endpoint
    ), payload AS (
        INSERT INTO payloads (event_id, event, body, about)
        SELECT DISTINCT ON (event_id, event) event_id, event, body, about FROM wanted
        ON CONFLICT DO NOTHING
    ), added AS (
        INSERT INTO deliveries (id, workspace_id, endpoint_id, event_id, event, created_at)
        SELECT id, workspace_id, endpoint_id, event_id, event, at FROM wanted
        ON CONFLICT DO NOTHING
        RETURNING id, endpoint_id, event_id, event
    )
    INSERT INTO queue (delivery_id, endpoint_id, event_id, event, slow)
    SELECT added.*, slow FROM added JOIN wanted USING (id) WHERE wanted.status = 'active'
    RETURNING delivery_id
"""
_TO_SUBSCRIBERS = _ADD.format(
    which="endpoint.status IN ('active', 'listening') AND endpoint.events && string_to_array(message.patterns, ' ')"
    " AND NOT endpoint.events && string_to_array(message.twins, ' ')"
)
_TO_ONE = _ADD.format(which="endpoint.id = $9")


async def add(connection: Connection, messages: Sequence[Message]) -> bool:
    """Queue each message for every active endpoint of its workspace that subscribed to it. Whether there was one.

    For those who listen it is logged alone: they make the delivery themselves.

    One statement for all. A message that was added before adds nothing.
    """
    return bool(await connection.fetch(_TO_SUBSCRIBERS, *_columns(messages)))


async def add_to(connection: Connection, message: Message, endpoint_id: UUID) -> UUID:
    """Queue a message for this endpoint alone, whatever it subscribed to. Its delivery's id, added now or before."""
    added = await connection.fetchval(_TO_ONE, *_columns([message]), endpoint_id)
    return added or await connection.fetchval("SELECT delivery_id($1, $2)", message.event_id, endpoint_id)


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
        INSERT INTO queue (delivery_id, endpoint_id, event_id, event) SELECT * FROM added
        """,
        id,
        workspace_id,
        sent.endpoint_id,
        sent.event_id,
        sent.event,
        at,
        sent.id,
    )


def _columns(messages: Sequence[Message]) -> tuple[list[Any], ...]:
    return (
        [message.event_id for message in messages],
        [message.workspace_id for message in messages],
        [message.event for message in messages],
        [" ".join(public_events.patterns(message.event)) for message in messages],
        [message.at for message in messages],
        [message.body for message in messages],
        [message.about for message in messages],
        [" ".join(public_events.patterns(message.twin)) if message.twin else "" for message in messages],
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


async def latest(database: Database, endpoint_id: UUID, limit: int) -> list[deliveries.Delivery]:
    """Newest first, with their attempts, all as they were at one moment."""
    rows = await database.fetch(
        """
        SELECT delivery.id, delivery.endpoint_id, delivery.event_id, delivery.event, delivery.created_at,
               delivery.redelivery_of,
               queue.delivery_id IS NOT NULL AS waits, queue.due_at,
               ARRAY(SELECT ROW (number, at, latency_ms, status_code, error, excerpt)
                     FROM attempts WHERE attempts.delivery_id = delivery.id ORDER BY at) AS attempts
        FROM deliveries AS delivery LEFT JOIN queue ON queue.delivery_id = delivery.id
        WHERE delivery.endpoint_id = $1
        ORDER BY delivery.id DESC LIMIT $2
        """,
        endpoint_id,
        limit,
    )
    return [_delivery(row) for row in rows]


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
