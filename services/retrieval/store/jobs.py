"""Jobs in Postgres: what is to be done for documents, and who does it.

A job belongs to the instance that holds it for as long as that one's lease is renewed. Workspaces take turns; within
one, jobs are claimed in the order in which they became due.
"""

from collections.abc import Sequence
from typing import Any, Literal
from uuid import UUID

from msgspec import Struct

from libs.postgres.database import Connection, Database

TOPIC = "jobs"
Step = Literal["list", "read", "index"]


_FREE = """
due_at <= now() AND document_id <> ALL($3)
AND (holder IS NULL OR holder = $1 OR holder <> ALL (ARRAY(SELECT name FROM leases WHERE until >= now())))
"""
# Such a name was made of the text (documents.py), where none was given.
_IS_A_BEGINNING = r"starts_with(ltrim(regexp_replace(left(text, 400), '\s+', ' ', 'g')), name)"
# The index is walked from workspace to workspace, and never through all jobs of one.
_CLAIM = f"""
WITH RECURSIVE turn AS (
    (
        SELECT workspace_id, document_id FROM jobs WHERE workspace_id > $4 AND {_FREE}
        ORDER BY workspace_id, due_at LIMIT 1
    )
    UNION ALL
    SELECT next.* FROM turn, LATERAL (
        SELECT workspace_id, document_id FROM jobs WHERE workspace_id > turn.workspace_id AND {_FREE}
        ORDER BY workspace_id, due_at LIMIT 1
    ) AS next
), due AS (
    SELECT document_id FROM jobs WHERE document_id IN (SELECT document_id FROM turn LIMIT $2) AND {_FREE}
    FOR UPDATE SKIP LOCKED
), claimed AS (
    UPDATE jobs SET holder = $1, tries = tries + 1 FROM due WHERE jobs.document_id = due.document_id
    RETURNING jobs.document_id, step, tries
)
SELECT document_id, step, tries, workspace_id, context_id, name,
    CASE WHEN url IS NULL AND blob IS NULL AND {_IS_A_BEGINNING} THEN '' ELSE name END AS told_name,
    metadata, version, chunks_done, chunks_total,
    space, size, url, blob
FROM claimed JOIN documents ON id = document_id ORDER BY workspace_id
"""


class Lost(Exception):
    """The job is no longer this instance's: it was taken over, or its document is gone."""


class Job(Struct, frozen=True):
    """`tries` counts this one. `told_name` is not what the text begins with: an event tells no text."""

    document_id: UUID
    step: Step
    tries: int
    workspace_id: UUID
    context_id: UUID
    name: str
    told_name: str
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
        INSERT INTO jobs (document_id, workspace_id, step)
        SELECT id, workspace_id, $2 FROM documents WHERE id = ANY($1)
        ON CONFLICT (document_id) DO UPDATE SET step = excluded.step, holder = NULL, tries = 0, due_at = now()
        """,
        list(document_ids),
        step,
    )
    connection.wake_after(TOPIC)


async def claim(database: Database, holder: str, *, after: UUID, limit: int, busy: list[UUID]) -> list[Job]:
    """One job of each of up to `limit` workspaces, from the one `after` on, in turn.

    It is due, held by nobody alive, and none that the caller itself is `busy` with.
    """
    rows = await database.fetch(_CLAIM, holder, limit, busy, after)
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


async def tries(database: Database, document_id: UUID, holder: str) -> int:
    """Since it last went on. Raises Lost."""
    counted = await database.fetchval(
        "SELECT tries FROM jobs WHERE document_id = $1 AND holder = $2", document_id, holder
    )
    if counted is None:
        raise Lost
    return counted


async def postpone(database: Database, document_id: UUID, holder: str, *, seconds: float, counted: bool = True) -> None:
    """To be tried again after so long; `counted`, as one of the tries that it gets."""
    await database.execute(
        """
        UPDATE jobs SET holder = NULL, tries = greatest(tries - $4, 0), due_at = now() + $3 * interval '1 second'
        WHERE document_id = $1 AND holder = $2
        """,
        document_id,
        holder,
        seconds,
        int(not counted),
    )


async def release(database: Database, holder: str) -> None:
    """Give back all that this instance holds, for others to take up at once."""
    await database.execute("UPDATE jobs SET holder = NULL, tries = greatest(tries - 1, 0) WHERE holder = $1", holder)
