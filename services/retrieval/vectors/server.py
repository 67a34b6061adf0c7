"""Vectors in a Qdrant server, for several machines: compose and Kubernetes. Each space is a collection.

Only imported where a server is configured: the client weighs 100 MB.
"""

import asyncio
import warnings
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

from qdrant_client import AsyncQdrantClient, models
from qdrant_client.http.exceptions import ResponseHandlingException, UnexpectedResponse

from libs.contracts.faults import Code, Fault
from services.retrieval.vectors import Hit, Point, Question, Space, Where, payload
from services.retrieval.vectors.payload import OneOf, Term, Within
from services.retrieval.vectors.words import Words

_PREFIX = "polyvox_"
_BATCH = 256
_DEADLINE = 30


class ServerVectors:
    """`location` is the server's URL, or `:memory:` for the client's slow stand-in, which is for tests alone."""

    def __init__(self, location: str, api_key: str = "") -> None:
        with warnings.catch_warnings():
            # A key over plain http is what Compose does, in a network of its own: the operator's choice, not news.
            warnings.filterwarnings("ignore", "Api key is used with an insecure connection")
            self._client = AsyncQdrantClient(
                location, api_key=api_key or None, timeout=_DEADLINE, check_compatibility=False
            )
        self._words = Words()
        self._indexes: dict[str, set[str]] = {}

    async def ensure(self, space: Space) -> bool:
        name = _collection(space)
        if name in self._indexes:
            return False
        async with self._reached():
            new = not await self._client.collection_exists(name)
            if new:
                await self._create(name, space)
            indexes = set((await self._client.get_collection(name)).payload_schema)
            for field in payload.KEYWORDS:
                await self._index(name, indexes, field, _keyword(field))
            self._indexes[name] = indexes
        return new

    async def upsert(self, space: Space, points: list[Point]) -> None:
        await self.ensure(space)
        for start in range(0, len(points), _BATCH):
            batch = await asyncio.to_thread(self._points, points[start : start + _BATCH])
            async with self._reached():
                await self._write(_collection(space), batch)

    async def search(self, space: Space, where: Where, question: Question, *, limit: int) -> list[Hit]:
        await self.ensure(space)
        dense = payload.floats(await question.embed())
        asked = self._sides(dense, question.text, where, limit)
        async with self._reached():
            near, worded = await self._client.query_batch_points(_collection(space), asked)
        unit = _unit(dense)
        hits = {point.id: Hit(int(point.id), point.score) for point in near.points}
        return list((hits | {point.id: _hit(unit, point) for point in worded.points}).values())

    async def count(self, space: Space, where: Where) -> int:
        await self.ensure(space)
        async with self._reached():
            counted = await self._client.count(_collection(space), _filter(payload.terms(where)), exact=True)
        return counted.count

    async def forget(self, workspace_id: UUID, context_id: UUID, document_ids: list[UUID] | None = None) -> None:
        gone = models.FilterSelector(filter=_filter(payload.within(workspace_id, context_id, document_ids)))
        async with self._reached():
            for collection in (await self._client.get_collections()).collections:
                if collection.name.startswith(_PREFIX):
                    await self._client.delete(collection.name, gone, wait=True)

    async def close(self) -> None:
        await self._client.close()

    async def _create(self, name: str, space: Space) -> None:
        await self._client.create_collection(
            name,
            vectors_config={payload.DENSE: models.VectorParams(size=space.dimensions, distance=models.Distance.COSINE)},
            sparse_vectors_config={payload.SPARSE: models.SparseVectorParams(modifier=models.Modifier.IDF)},
        )

    async def _write(self, name: str, batch: list[models.PointStruct]) -> None:
        indexes = self._indexes[name]
        for field in set().union(*(payload.number_fields(point.payload or {}) for point in batch)):
            if len(indexes) < payload.MOST_NUMBER_INDEXES:
                await self._index(name, indexes, field, models.FloatIndexParams(type=models.FloatIndexType.FLOAT))
        await self._client.upsert(name, batch, wait=True)

    async def _index(self, name: str, indexes: set[str], field: str, schema: models.PayloadSchemaParams) -> None:
        if field not in indexes:
            await self._client.create_payload_index(name, field, schema, wait=True)
            indexes.add(field)

    def _points(self, points: list[Point]) -> list[models.PointStruct]:
        return [
            models.PointStruct(
                id=point.number,
                vector={
                    payload.DENSE: payload.floats(point.vector),
                    payload.SPARSE: _sparse(self._words.of_chunk(point.text)),
                },
                payload=payload.of(point),
            )
            for point in points
        ]

    def _sides(self, dense: list[float], text: str, where: Where, limit: int) -> list[models.QueryRequest]:
        """By meaning and by words; of these the vectors as well, for their cosines."""
        only = _filter(payload.terms(where))
        words = _sparse(self._words.of_question(text))
        return [
            models.QueryRequest(query=dense, using=payload.DENSE, filter=only, limit=limit),
            models.QueryRequest(
                query=words, using=payload.SPARSE, filter=only, limit=limit, with_vector=[payload.DENSE]
            ),
        ]

    @asynccontextmanager
    async def _reached(self) -> AsyncIterator[None]:
        try:
            yield
        except (ResponseHandlingException, UnexpectedResponse) as error:
            # A collection that went away under us is made anew by the next call.
            self._indexes.clear()
            raise Fault(Code.UNAVAILABLE, "The vectors can't be reached; try again.", retry_after=2) from error


def _collection(space: Space) -> str:
    return f"{_PREFIX}{payload.LAYOUT}_{space.name}"


def _keyword(field: str) -> models.KeywordIndexParams:
    return models.KeywordIndexParams(type=models.KeywordIndexType.KEYWORD, is_tenant=field == payload.SCOPE)


def _unit(vector: list[float]) -> list[float]:
    length = sum(map(float.__mul__, vector, vector)) ** 0.5 or 1.0
    return [number / length for number in vector]


def _hit(unit: list[float], point: models.ScoredPoint) -> Hit:
    """One that words found. The engine keeps vectors at length 1, so a product is the cosine."""
    vectors: Any = point.vector
    return Hit(int(point.id), sum(map(float.__mul__, unit, vectors[payload.DENSE])), point.score)


def _sparse(vector: Any) -> models.SparseVector:
    return models.SparseVector(indices=list(vector.indices), values=list(vector.values))


def _filter(terms: list[Term]) -> models.Filter:
    return models.Filter(must=[_condition(term) for term in terms])


def _condition(term: Term) -> models.FieldCondition:
    match term:
        case OneOf(field, [value]):
            return models.FieldCondition(key=field, match=models.MatchValue(value=value))
        case OneOf(field, values):
            return models.FieldCondition(key=field, match=models.MatchAny(any=values))
        case Within(field, bounds):
            return models.FieldCondition(
                key=field, range=models.Range(gt=bounds.gt, gte=bounds.gte, lt=bounds.lt, lte=bounds.lte)
            )
