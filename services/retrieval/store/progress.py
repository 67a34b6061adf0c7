"""How far documents are in Postgres: read, indexed, failed, to be indexed anew.

What a job writes of its document, it writes only while it holds the job.
"""

from uuid import UUID

from libs.contracts.documents import Status
from libs.postgres.database import Connection, Database
from libs.postgres.text import clean


async def has_text(connection: Connection, id: UUID, *, text: str | None, size: int, chunks: int) -> None:
    """It was read: `text` (None leaves what is there) makes so many chunks."""
    await connection.execute(
        """
        UPDATE documents SET status = $2, text = coalesce($3, text), size = $4, chunks_total = $5, chunks_done = 0,
            error = NULL, updated_at = now()
        WHERE id = $1
        """,
        id,
        Status.INDEXING,
        clean(text),
        size,
        chunks,
    )


async def advance(connection: Connection, id: UUID, *, done: int, space: str) -> None:
    """So many of its chunks have vectors in this space."""
    await connection.execute(
        """
        UPDATE documents SET status = $2, chunks_done = $3, space = $4, error = NULL, updated_at = now() WHERE id = $1
        """,
        id,
        Status.INDEXING,
        done,
        space,
    )


async def finish(connection: Connection, id: UUID, *, space: str) -> None:
    """All of its chunks have vectors in this space."""
    await connection.execute(
        """
        UPDATE documents SET status = $2, chunks_done = chunks_total, space = $3, error = NULL, updated_at = now()
        WHERE id = $1
        """,
        id,
        Status.INDEXED,
        space,
    )


async def fail(connection: Connection, id: UUID, reason: str) -> None:
    await connection.execute(
        "UPDATE documents SET status = $2, error = $3, updated_at = now() WHERE id = $1",
        id,
        Status.FAILED,
        clean(reason),
    )


async def restart(connection: Connection, workspace_id: UUID, context_id: UUID) -> list[UUID]:
    """Those of a context that were read: their vectors are to be made anew."""
    rows = await connection.fetch(
        """
        UPDATE documents SET status = $3, chunks_done = 0, error = NULL, updated_at = now()
        WHERE workspace_id = $1 AND context_id = $2 AND chunks_total > 0 RETURNING id
        """,
        workspace_id,
        context_id,
        Status.PENDING,
    )
    return [row["id"] for row in rows]


async def any_indexed(database: Database) -> bool:
    return await database.fetchval("SELECT EXISTS (SELECT FROM documents WHERE status = $1)", Status.INDEXED)


async def restart_elsewhere(connection: Connection, *, space: str, everything: bool) -> list[UUID]:
    """Indexed ones whose vectors are not in this space; or `everything`, where the space itself was lost."""
    rows = await connection.fetch(
        """
        UPDATE documents SET status = $2, chunks_done = 0, updated_at = now()
        WHERE status = $3 AND ($4 OR space IS DISTINCT FROM $1) RETURNING id
        """,
        space,
        Status.PENDING,
        Status.INDEXED,
        everything,
    )
    return [row["id"] for row in rows]
