"""Erasing deliveries, with their payloads, attempts and what waits in the queue."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from asyncpg import Record

from libs.postgres.database import Connection

# A delivery's id begins with the moment of its event, as the event's own does; one made again by hand with its own.
_ABOUT = """
SELECT delivery.id, payload.event_id FROM payloads AS payload LEFT JOIN LATERAL (
    SELECT id FROM deliveries WHERE workspace_id = $1 AND event_id = payload.event_id
        AND id BETWEEN (left(payload.event_id::text, 13) || '-0000-0000-000000000000')::uuid
            AND (left(payload.event_id::text, 13) || '-ffff-ffff-ffffffffffff')::uuid
    UNION
    SELECT id FROM deliveries WHERE workspace_id = $1 AND event_id = payload.event_id AND redelivery_of IS NOT NULL
) AS delivery ON true
WHERE payload.about = ANY($2) LIMIT $3
"""
_OLDER = """
SELECT id, event_id FROM deliveries
WHERE workspace_id = $1 AND ($2::timestamptz IS NULL OR id < uuid_floor($2)) ORDER BY id LIMIT $3
"""
_ERASE = (
    "DELETE FROM queue WHERE delivery_id = ANY($1)",
    "DELETE FROM attempts WHERE delivery_id = ANY($1)",
    "DELETE FROM deliveries WHERE id = ANY($1)",
)
_FORGET = "DELETE FROM payloads WHERE event_id = ANY($1)"


async def about(connection: Connection, workspace_id: UUID, ids: Sequence[UUID], limit: int) -> int:
    """Deliveries that tell of one of these. How many there were."""
    return await _erase(connection, await connection.fetch(_ABOUT, workspace_id, list(ids), limit))


async def older(connection: Connection, workspace_id: UUID, before: datetime | None, limit: int) -> int:
    """The workspace's deliveries of events before then, or all."""
    return await _erase(connection, await connection.fetch(_OLDER, workspace_id, before, limit))


async def _erase(connection: Connection, found: Sequence[Record]) -> int:
    deliveries = [delivery_id for delivery_id, _ in found if delivery_id is not None]
    for statement in _ERASE:
        await connection.execute(statement, deliveries)
    await connection.execute(_FORGET, [event_id for _, event_id in found])
    return len(found)


async def endpoints(connection: Connection, workspace_id: UUID) -> None:
    await connection.execute("DELETE FROM endpoints WHERE workspace_id = $1", workspace_id)


async def notifications(connection: Connection, workspace_id: UUID, before: datetime | None = None) -> None:
    """Those from before then, or all."""
    await connection.execute(
        "DELETE FROM notifications WHERE workspace_id = $1 AND ($2::timestamptz IS NULL OR created_at < $2)",
        workspace_id,
        before,
    )


async def notifications_about(connection: Connection, workspace_id: UUID, ids: Sequence[UUID]) -> None:
    await connection.execute(
        "DELETE FROM notifications WHERE workspace_id = $1 AND about <> '{}' AND about && $2", workspace_id, list(ids)
    )
