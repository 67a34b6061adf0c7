"""Jobs in Postgres: what is to be done for documents, and who does it.

A job belongs to the instance that holds it for as long as that one's lease is renewed. It is claimed in the order in
which it became due.
"""

from collections.abc import Sequence
from typing import Any, Literal
from uuid import UUID

from msgspec import Struct

from libs.postgres.database import Connection, Database

TOPIC = "jobs"
Step = Literal["read", "index"]


class Lost(Exception):
    """The job is no longer this instance's: it was taken over, or its document is gone."""


class Job(Struct, frozen=True):
    """`tries` counts this one."""

    document_id: UUID
    step: Step
    tries: int
    workspace_id: UUID
    context_id: UUID
    name: str
    metadata: dict[str, Any]
    version: int
    chunks_done: int
    chunks_total: int
    space: str | None
    size: int
    url: str | None
    blob: str | None


async def enqueue(connection: Connection, document_ids: Sequence[UUID], step: Step) -> None:
    """Whoever holds one of them already loses it, and begins anew."""
    await connection.execute(
        """
        INSERT INTO jobs (document_id, step) SELECT id, $2 FROM unnest($1::uuid[]) AS id
        ON CONFLICT (document_id) DO UPDATE SET step = excluded.step, holder = NULL, tries = 0, due_at = now()
        """,
        list(document_ids),
        step,
    )
    connection.wake_after(TOPIC)


async def claim(database: Database, holder: str, *, limit: int, busy: list[UUID]) -> list[Job]:
    """Up to `limit` that are due and held by nobody alive; never those that the caller itself is busy with."""
    rows = await database.fetch(
        """
        WITH due AS (
            SELECT document_id FROM jobs
            WHERE due_at <= now() AND document_id <> ALL($3) AND NOT EXISTS (
                SELECT FROM leases WHERE name = jobs.holder AND leases.holder = jobs.holder AND until >= now()
            )
            ORDER BY due_at LIMIT $2 FOR UPDATE SKIP LOCKED
        ), claimed AS (
            UPDATE jobs SET holder = $1, tries = tries + 1 FROM due WHERE jobs.document_id = due.document_id
            RETURNING jobs.document_id, step, tries
        )
        SELECT document_id, step, tries, workspace_id, context_id, name, metadata, version, chunks_done, chunks_total,
            space, size, url, blob
        FROM claimed JOIN documents ON id = document_id
        """,
        holder,
        limit,
        busy,
    )
    return [Job(**row) for row in rows]


async def keep(connection: Connection, document_id: UUID, holder: str, step: Step) -> None:
    """It went on, so what went wrong before is forgotten. Raises Lost."""
    kept = await connection.fetchval(
        "UPDATE jobs SET step = $3, tries = 0 WHERE document_id = $1 AND holder = $2 RETURNING true",
        document_id,
        holder,
        step,
    )
    if not kept:
        raise Lost


async def end(connection: Connection, document_id: UUID, holder: str) -> None:
    """Raises Lost."""
    ended = await connection.fetchval(
        "DELETE FROM jobs WHERE document_id = $1 AND holder = $2 RETURNING true", document_id, holder
    )
    if not ended:
        raise Lost


async def postpone(database: Database, document_id: UUID, holder: str, *, seconds: float, counted: bool = True) -> None:
    """To be tried again after so long; `counted`, as one of the tries that it gets."""
    await database.execute(
        """
        UPDATE jobs SET holder = NULL, tries = tries - $4, due_at = now() + $3 * interval '1 second'
        WHERE document_id = $1 AND holder = $2
        """,
        document_id,
        holder,
        seconds,
        int(not counted),
    )


async def release(database: Database, holder: str) -> None:
    """Give back all that this instance holds, for others to take up at once."""
    await database.execute("UPDATE jobs SET holder = NULL, tries = tries - 1 WHERE holder = $1", holder)
