"""Chunks in Postgres: what a search answers with. Ids follow from what they name, so that no chunk is there twice."""

from collections.abc import Iterator
from itertools import islice
from typing import Any
from uuid import UUID, uuid5

from msgspec import Struct

from libs.contracts import search
from libs.postgres.database import Connection, Database
from services.retrieval.vectors import number_of

_ROWS = 500
_SECOND_HALF = (1 << 64) - 1


class Chunk(Struct, frozen=True):
    id: UUID
    position: int
    start: int
    text: str


class Found(Struct, frozen=True):
    """Chunks by their numbers, and how many of the contexts that were asked for exist."""

    passages: dict[int, search.Passage]
    contexts: int | None


def id_of(document_id: UUID, version: int, position: int) -> UUID:
    return uuid5(document_id, f"{version}:{position}")


async def replace(connection: Connection, document_id: UUID, chunks: Iterator[Chunk]) -> None:
    """They are made as they are written, so that those of a large document hold nobody up."""
    await connection.execute("DELETE FROM chunks WHERE document_id = $1", document_id)
    while batch := list(islice(chunks, _ROWS)):
        await connection.execute(
            """
            INSERT INTO chunks (id, document_id, position, start, text)
            SELECT id, $1, position, start, text
            FROM unnest($2::uuid[], $3::int[], $4::int[], $5::text[]) AS chunk (id, position, start, text)
            """,
            document_id,
            [chunk.id for chunk in batch],
            [chunk.position for chunk in batch],
            [chunk.start for chunk in batch],
            [chunk.text for chunk in batch],
        )


async def page(database: Database, document_id: UUID, *, first: int, limit: int) -> list[Chunk]:
    """In order, from position `first` on."""
    rows = await database.fetch(
        """
        SELECT id, position, start, text FROM chunks WHERE document_id = $1 AND position >= $2
        ORDER BY position LIMIT $3
        """,
        document_id,
        first,
        limit,
    )
    return [Chunk(**row) for row in rows]


async def passages(database: Database, query: search.Query, scores: dict[int, float]) -> Found:
    """Those of the scored numbers' chunks that are still there, and within the query's workspace and contexts."""
    # LIMIT and OFFSET have each chunk and document looked up by its id: the planner would rather walk through all of
    # the context. Behind a SELECT it does not see how many they are, or it would plan anew for each search. Documents
    # go with their context, so where there is a passage of a single one it need not be looked for.
    rows = await database.fetch(
        """
        SELECT chunk.id, document_id, context_id, name, position, start, chunk.text, metadata,
            CASE cardinality($3::uuid[]) WHEN 1 THEN 1
                ELSE (SELECT count(*) FROM contexts WHERE workspace_id = $2 AND id = ANY($3)) END AS contexts
        FROM unnest((SELECT $1::uuid[]), (SELECT $4::uuid[])) AS numbered (first, last) CROSS JOIN LATERAL (
            SELECT id, document_id, position, start, text FROM chunks WHERE id BETWEEN first AND last
            ORDER BY id LIMIT 1
        ) AS chunk CROSS JOIN LATERAL (
            SELECT workspace_id, context_id, name, metadata FROM documents WHERE documents.id = document_id OFFSET 0
        ) AS document
        WHERE workspace_id = $2 AND context_id = ANY($3)
        """,
        [UUID(int=number << 64) for number in scores],
        query.workspace_id,
        query.context_ids,
        [UUID(int=(number << 64) + _SECOND_HALF) for number in scores],
    )
    numbered = ((number_of(row["id"]), row) for row in rows)
    found = {number: _passage(row, scores[number]) for number, row in numbered}
    return Found(found, rows[0]["contexts"] if rows else None)


def _passage(row: Any, score: float) -> search.Passage:
    return search.Passage(
        chunk_id=row["id"],
        document_id=row["document_id"],
        context_id=row["context_id"],
        name=row["name"],
        position=row["position"],
        text=row["text"],
        score=score,
        metadata=row["metadata"],
        start=row["start"],
    )
