"""Erasing deliveries, with their payloads, attempts and what waits in the queue."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from libs.postgres.database import Connection

# Before anything else: a part of a fan-out that is under way is waited for, and what it added is found afterwards.
_STOP_ABOUT = """
DELETE FROM fan_outs USING payloads AS payload
WHERE workspace_id = $1 AND payload.about = ANY($2)
  AND (fan_outs.event_id, fan_outs.event) = (payload.event_id, payload.event)
"""
_STOP_OLDER = """
DELETE FROM fan_outs WHERE workspace_id = $1 AND ($2::timestamptz IS NULL OR event_id < uuid_floor($2))
RETURNING event_id
"""
# A delivery's id begins with the moment of its event, as the event's own does; one made again by hand with its own.
_ABOUT = """
SELECT delivery.id FROM payloads AS payload CROSS JOIN LATERAL (
    SELECT id FROM deliveries WHERE workspace_id = $1 AND event_id = payload.event_id
        AND id BETWEEN (left(payload.event_id::text, 13) || '-0000-0000-000000000000')::uuid
            AND (left(payload.event_id::text, 13) || '-ffff-ffff-ffffffffffff')::uuid
    UNION
    SELECT id FROM deliveries WHERE workspace_id = $1 AND event_id = payload.event_id AND redelivery_of IS NOT NULL
) AS delivery
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
_FORGET_ABOUT = "DELETE FROM payloads WHERE about = ANY($1)"


async def about(connection: Connection, workspace_id: UUID, ids: Sequence[UUID], limit: int) -> bool:
    """Deliveries that tell of one of these, and with the last of them what was told. Whether there may be more."""
    await connection.execute(_STOP_ABOUT, workspace_id, list(ids))
    found = [row["id"] for row in await connection.fetch(_ABOUT, workspace_id, list(ids), limit)]
    await _erase(connection, found)
    if len(found) < limit:
        await connection.execute(_FORGET_ABOUT, list(ids))
    return len(found) == limit


async def older(connection: Connection, workspace_id: UUID, before: datetime | None, limit: int) -> bool:
    """The workspace's deliveries of events before then, or all. Whether there may be more."""
    stopped = await connection.fetch(_STOP_OLDER, workspace_id, before)
    found = await connection.fetch(_OLDER, workspace_id, before, limit)
    await _erase(connection, [row["id"] for row in found])
    await connection.execute(_FORGET, [row["event_id"] for row in (*stopped, *found)])
    return len(found) == limit


async def _erase(connection: Connection, deliveries: Sequence[UUID]) -> None:
    for statement in _ERASE:
        await connection.execute(statement, deliveries)


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
