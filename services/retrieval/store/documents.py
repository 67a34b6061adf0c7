"""Documents in Postgres, and the states they go through. What a job writes, it writes only while it holds the job."""

from typing import Any
from uuid import UUID

from msgspec import Struct

from libs.contracts import documents
from libs.contracts.documents import Status
from libs.postgres.database import Connection, Database
from libs.postgres.text import clean

_COLUMNS = """
id, workspace_id, context_id, name, status, metadata, chunks_done, chunks_total, size, url, error,
created_at, updated_at
"""


class New(Struct, frozen=True):
    """A document to be: its `text`, the `blob` of its upload, or the `url` to fetch it from."""

    id: UUID
    workspace_id: UUID
    context_id: UUID
    name: str
    metadata: dict[str, Any]
    text: str | None = None
    blob: str | None = None
    url: str | None = None
    size: int = 0


class Gone(Struct, frozen=True):
    """What is left behind by deleted documents."""

    documents: list[documents.Document]
    blobs: list[str]

    @property
    def chunks(self) -> int:
        return sum(document.chunks_total for document in self.documents)


async def insert(connection: Connection, new: New) -> documents.Document | None:
    """None where there is one of that id already."""
    row = await connection.fetchrow(
        f"""
        INSERT INTO documents (id, workspace_id, context_id, name, metadata, text, blob, url, size)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (id) DO NOTHING RETURNING {_COLUMNS}
        """,
        new.id,
        new.workspace_id,
        new.context_id,
        clean(new.name),
        clean(new.metadata),
        clean(new.text),
        new.blob,
        clean(new.url),
        new.size,
    )
    return _document(row) if row else None


async def insert_all(connection: Connection, news: list[New]) -> list[UUID]:
    """Those of one context that are to be fetched. The ids of those that weren't there."""
    rows = await connection.fetch(
        """
        INSERT INTO documents (id, workspace_id, context_id, name, metadata, url)
        SELECT id, $1, $2, name, $3, url FROM unnest($4::uuid[], $5::text[], $6::text[]) AS given(id, name, url)
        ON CONFLICT (id) DO NOTHING RETURNING id
        """,
        news[0].workspace_id,
        news[0].context_id,
        clean(news[0].metadata),
        [new.id for new in news],
        [clean(new.name) for new in news],
        [clean(new.url) for new in news],
    )
    return [row["id"] for row in rows]


async def get(database: Connection | Database, wanted: documents.GetDocument) -> documents.Document | None:
    """With its text."""
    row = await database.fetchrow(
        f"SELECT {_COLUMNS}, text FROM documents WHERE workspace_id = $1 AND context_id = $2 AND id = $3",
        wanted.workspace_id,
        wanted.context_id,
        wanted.document_id,
    )
    return _document(row) if row else None


async def find(database: Database, wanted: documents.FindDocument) -> documents.Document | None:
    """With its text."""
    row = await database.fetchrow(
        f"SELECT {_COLUMNS}, text FROM documents WHERE workspace_id = $1 AND id = $2",
        wanted.workspace_id,
        wanted.document_id,
    )
    return _document(row) if row else None


async def text(database: Database, id: UUID) -> str | None:
    return await database.fetchval("SELECT text FROM documents WHERE id = $1", id)


async def page(database: Database, asked: documents.PageDocuments) -> list[documents.Document]:
    rows = await database.fetch(
        f"""
        WITH page AS MATERIALIZED (
            SELECT id FROM documents WHERE workspace_id = $1 AND context_id = $2
            ORDER BY created_at, id OFFSET $3 LIMIT $4
        )
        SELECT {_COLUMNS},
            CASE WHEN $5 > 0 AND sum(length(text)) OVER (ORDER BY created_at, id) <= $5 THEN text END AS text
        FROM documents JOIN page USING (id) ORDER BY created_at, id
        """,
        asked.workspace_id,
        asked.context_id,
        asked.slice.offset,
        asked.slice.limit,
        asked.texts,
    )
    return [_document(row) for row in rows]


async def statuses(database: Database, context_id: UUID) -> list[documents.Status]:
    """Each that there is, once."""
    rows = await database.fetch("SELECT DISTINCT status FROM documents WHERE context_id = $1", context_id)
    return [documents.Status(row["status"]) for row in rows]


async def lock(connection: Connection, asked: documents.UpdateDocument) -> tuple[documents.Document, str | None] | None:
    """The document, which nobody else changes until this transaction is over, and the blob it was made from."""
    row = await connection.fetchrow(
        f"""
        SELECT {_COLUMNS}, blob FROM documents
        WHERE workspace_id = $1 AND context_id = $2 AND id = $3 FOR UPDATE
        """,
        asked.workspace_id,
        asked.context_id,
        asked.document_id,
    )
    if row is None:
        return None
    columns = dict(row)
    blob = columns.pop("blob")
    return documents.Document(**columns), blob


async def rewrite(connection: Connection, id: UUID, *, text: str | None, metadata: dict[str, Any]) -> None:
    """To be indexed anew; with a text of its own (None leaves what is there) it comes from nowhere else any more."""
    await connection.execute(
        """
        UPDATE documents SET metadata = $3, status = $4, chunks_done = 0, error = NULL, updated_at = now(),
            text = coalesce($2, text), size = CASE WHEN $2::text IS NULL THEN size ELSE octet_length($2) END,
            url = CASE WHEN $2::text IS NULL THEN url END, blob = CASE WHEN $2::text IS NULL THEN blob END
        WHERE id = $1
        """,
        id,
        clean(text),
        clean(metadata),
        Status.PENDING,
    )


async def delete(connection: Connection, workspace_id: UUID, context_id: UUID, *, id: UUID | None = None) -> Gone:
    """One document or all of a context, with their chunks and jobs."""
    rows = await connection.fetch(
        f"""
        DELETE FROM documents WHERE workspace_id = $1 AND context_id = $2 AND ($3::uuid IS NULL OR id = $3)
        RETURNING {_COLUMNS}, blob
        """,
        workspace_id,
        context_id,
        id,
    )
    return _gone(rows)


async def delete_some(connection: Connection, workspace_id: UUID, context_id: UUID, limit: int) -> Gone:
    """Up to `limit` of a context's documents, like `delete`."""
    rows = await connection.fetch(
        f"""
        DELETE FROM documents WHERE id IN (
            SELECT id FROM documents WHERE workspace_id = $1 AND context_id = $2 LIMIT $3
        ) RETURNING {_COLUMNS}, blob
        """,
        workspace_id,
        context_id,
        limit,
    )
    return _gone(rows)


async def unused(database: Database, blobs: list[str]) -> list[str]:
    """Those that no document is made from."""
    rows = await database.fetch(
        """
        SELECT given FROM unnest($1::text[]) AS given WHERE NOT EXISTS (SELECT FROM documents WHERE blob = given)
        """,
        blobs,
    )
    return [row["given"] for row in rows]


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


async def finish(connection: Connection, id: UUID, *, space: str) -> documents.Document | None:
    """All of its chunks have vectors in this space. None where it is gone."""
    row = await connection.fetchrow(
        f"""
        UPDATE documents SET status = $2, chunks_done = chunks_total, space = $3, error = NULL, updated_at = now()
        WHERE id = $1 RETURNING {_COLUMNS}
        """,
        id,
        Status.INDEXED,
        space,
    )
    return _document(row) if row else None


async def fail(connection: Connection, id: UUID, reason: str) -> documents.Document | None:
    """None where it is gone."""
    row = await connection.fetchrow(
        f"""
        UPDATE documents SET status = $2, error = $3, updated_at = now() WHERE id = $1 RETURNING {_COLUMNS}
        """,
        id,
        Status.FAILED,
        clean(reason),
    )
    return _document(row) if row else None


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


def _gone(rows: list[Any]) -> Gone:
    found = [documents.Document(**{key: value for key, value in row.items() if key != "blob"}) for row in rows]
    return Gone(found, [row["blob"] for row in rows if row["blob"]])


def _document(row: Any) -> documents.Document:
    return documents.Document(**row)
