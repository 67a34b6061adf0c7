"""Removals in Postgres: vectors and blobs to be deleted after the rows that named them."""

from typing import Any
from uuid import UUID

from msgspec import Struct

from libs.postgres.database import Connection, Database

TOPIC = "removals"


class Removal(Struct, frozen=True):
    """Of some documents, or of a whole context (None). `passes` counts how often it was done."""

    id: int
    workspace_id: UUID
    context_id: UUID
    document_ids: list[UUID] | None
    blobs: list[str]
    passes: int


async def enqueue(
    connection: Connection, workspace_id: UUID, context_id: UUID, document_ids: list[UUID] | None, blobs: list[str]
) -> None:
    await connection.execute(
        "INSERT INTO removals (workspace_id, context_id, document_ids, blobs) VALUES ($1, $2, $3, $4)",
        workspace_id,
        context_id,
        document_ids,
        blobs,
    )
    connection.wake_after(TOPIC)


async def claim(database: Database, *, seconds: float, limit: int) -> list[Removal]:
    """What is due, kept from others for so long."""
    rows = await database.fetch(
        """
        UPDATE removals SET due_at = now() + $1 * interval '1 second' WHERE id IN (
            SELECT id FROM removals WHERE due_at <= now() ORDER BY due_at LIMIT $2 FOR UPDATE SKIP LOCKED
        ) RETURNING id, workspace_id, context_id, document_ids, blobs, passes
        """,
        seconds,
        limit,
    )
    return [_removal(row) for row in rows]


async def repeat(database: Database, id: int, *, seconds: float) -> None:
    await database.execute(
        "UPDATE removals SET passes = passes + 1, due_at = now() + $2 * interval '1 second' WHERE id = $1", id, seconds
    )


async def end(database: Database, id: int) -> None:
    await database.execute("DELETE FROM removals WHERE id = $1", id)


def _removal(row: Any) -> Removal:
    return Removal(**row)
