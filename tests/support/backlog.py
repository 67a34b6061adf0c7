"""Deliveries that are due, as many as are wanted at once: one event each, in turn to each endpoint."""

from uuid import UUID

from libs.contracts import ids
from libs.postgres.database import Database

BODY = b'{"event":"feedback.created","data":{"text":"' + b"x" * 300 + b'"}}'

_PAYLOADS = (
    "INSERT INTO payloads (event_id, event, body) SELECT id, 'feedback.created', $2 FROM unnest($1::uuid[]) AS id"
)
_DELIVERIES = """
    WITH added AS (
        INSERT INTO deliveries (id, workspace_id, endpoint_id, event_id, event, created_at)
        SELECT event.id, workspace_id, endpoint.id, event.id, 'feedback.created', now()
        FROM unnest($1::uuid[], $2::uuid[]) AS event (id, endpoint_id)
            JOIN endpoints AS endpoint ON endpoint.id = endpoint_id
        RETURNING *
    )
    INSERT INTO queue (delivery_id, workspace_id, endpoint_id, event_id, event, slow)
    SELECT added.id, workspace_id, endpoint_id, event_id, event, failing_since IS NOT NULL
    FROM added JOIN (SELECT id, failing_since FROM endpoints) AS endpoint ON endpoint.id = endpoint_id
"""


async def add(database: Database, endpoints: list[UUID], count: int) -> None:
    events = [ids.new() for _ in range(count)]
    async with database.transaction() as connection:
        await connection.execute(_PAYLOADS, events, BODY)
        await connection.execute(_DELIVERIES, events, [endpoints[n % len(endpoints)] for n in range(count)])
