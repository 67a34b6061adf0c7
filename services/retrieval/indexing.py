"""The second step of a document's job: from chunk rows to vectors, batch by batch.

Where it was interrupted it goes on.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from libs.contracts import documents as contract
from libs.postgres.database import Connection, Database
from services.retrieval import metrics
from services.retrieval.embeddings import Embedder
from services.retrieval.store import chunks, contexts, jobs, progress
from services.retrieval.store.chunks import Chunk
from services.retrieval.store.jobs import Job
from services.retrieval.vectors import Point, Space, Vectors, number_of

_BATCH = 256

State = Callable[[Connection, Any, Sequence[Any]], Awaitable[None]]


class Indexing:
    def __init__(self, database: Database, embedder: Embedder, vectors: Vectors, state: State) -> None:
        self._database, self._embedder, self._vectors, self._state = database, embedder, vectors, state

    async def run(self, job: Job, holder: str) -> None:
        """Raises Lost, and Fault for what may go better later."""
        space = await self._embedder.space()
        done = job.chunks_done if job.space == space.name else 0
        while done < job.chunks_total:
            done = await self._next(job, space, done)
            if done < job.chunks_total:
                await self._advance(job, holder, done, space)
        await self._finish(job, holder, space)

    async def forget(self, job: Job) -> None:
        await self._vectors.forget(job.workspace_id, job.context_id, [job.document_id])

    async def _next(self, job: Job, space: Space, done: int) -> int:
        batch = await chunks.page(self._database, job.document_id, first=done, limit=_BATCH)
        if not batch:
            raise jobs.Lost
        vectors = await self._embedder.embed([chunk.text for chunk in batch])
        await self._vectors.upsert(space, [_point(job, *pair) for pair in zip(batch, vectors, strict=True)])
        metrics.CHUNKS.inc(len(batch))
        return batch[-1].position + 1

    async def _advance(self, job: Job, holder: str, done: int, space: Space) -> None:
        async with self._database.transaction() as connection:
            await progress.advance(connection, job.document_id, done=done, space=space.name)
            await jobs.keep(connection, job.document_id, holder, "index")
            await contexts.count(connection, job.context_id)

    async def _finish(self, job: Job, holder: str, space: Space) -> None:
        async with self._database.transaction() as connection:
            await progress.finish(connection, job.document_id, space=space.name)
            await jobs.end(connection, job.document_id, holder)
            await contexts.count(connection, job.context_id)
            await self._state(connection, contract.INDEXED, [_indexed(job)])
        metrics.DOCUMENTS.labels("indexed").inc()


def _indexed(job: Job) -> contract.DocumentIndexed:
    return contract.DocumentIndexed(job.workspace_id, job.context_id, job.document_id, job.told_name, job.chunks_total)


def _point(job: Job, chunk: Chunk, vector: bytes) -> Point:
    return Point(
        *(number_of(chunk.id), job.workspace_id, job.context_id, job.document_id),
        text=chunk.text,
        vector=vector,
        metadata={"source": job.url or job.name} | job.metadata,
    )
