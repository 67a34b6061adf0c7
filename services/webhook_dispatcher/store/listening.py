"""Listeners in Postgres: an endpoint without a URL or a kept secret, and what was logged for it."""

from collections.abc import Collection, Sequence
from uuid import UUID

from msgspec import Struct

from libs.postgres.database import Database


class Told(Struct, frozen=True):
    """A delivery for a listener to make."""

    id: UUID
    event: str
    body: bytes


async def begin(database: Database, id: UUID, workspace_id: UUID, events: Sequence[str]) -> None:
    await database.execute(
        """
        INSERT INTO endpoints (id, workspace_id, url, events, description, status, secret)
        VALUES ($1, $2, '', $3, 'a listener', 'listening', '')
        """,
        id,
        workspace_id,
        list(events),
    )


async def end(database: Database, id: UUID) -> None:
    await database.execute("DELETE FROM endpoints WHERE id = $1", id)


async def told(database: Database, id: UUID, seen: Collection[UUID], limit: int) -> list[Told]:
    """What is not among the `seen`, in the order of its events."""
    rows = await database.fetch(
        """
        SELECT delivery.id, delivery.event, payload.body
        FROM deliveries AS delivery JOIN payloads AS payload USING (event_id, event)
        WHERE delivery.endpoint_id = $1 AND delivery.id <> ALL($2) ORDER BY delivery.id LIMIT $3
        """,
        id,
        list(seen),
        limit,
    )
    return [Told(*row) for row in rows]
