"""Documents in Postgres, as they are added, changed and deleted; how far their indexing is, `progress` writes."""

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


async def insert(connection: Connection, news: list[New]) -> list[UUID]:
    """Those of one context, with the same metadata. The ids of those that weren't there."""
    rows = await connection.fetch(
        """
        INSERT INTO documents (id, workspace_id, context_id, name, metadata, text, blob, url, size)
        SELECT id, $1, $2, name, $3, text, blob, url, size
        FROM unnest($4::uuid[], $5::text[], $6::text[], $7::text[], $8::text[], $9::bigint[])
            AS given (id, name, text, blob, url, size)
        ON CONFLICT (id) DO NOTHING RETURNING id
        """,
        news[0].workspace_id,
        news[0].context_id,
        clean(news[0].metadata),
        [new.id for new in news],
        [clean(new.name) for new in news],
        [clean(new.text) for new in news],
        [new.blob for new in news],
        [clean(new.url) for new in news],
        [new.size for new in news],
    )
    return [row["id"] for row in rows]


async def those(
    connection: Connection, workspace_id: UUID, context_id: UUID, ids: list[UUID]
) -> dict[UUID, documents.Document]:
    """Without their text."""
    rows = await connection.fetch(
        f"SELECT {_COLUMNS} FROM documents WHERE workspace_id = $1 AND context_id = $2 AND id = ANY($3)",
        workspace_id,
        context_id,
        ids,
    )
    return {row["id"]: _document(row) for row in rows}


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


def _gone(rows: list[Any]) -> Gone:
    found = [documents.Document(**{key: value for key, value in row.items() if key != "blob"}) for row in rows]
    return Gone(found, [row["blob"] for row in rows if row["blob"]])


def _document(row: Any) -> documents.Document:
    return documents.Document(**row)
