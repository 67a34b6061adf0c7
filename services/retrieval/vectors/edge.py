"""Qdrant's embedded engine over the spaces of one folder, each a shard in a folder of its own.

Only the child process uses this. The rule: nothing here calls `optimize`, which would hold every search back for
minutes; searches stay exact, and payload indexes keep them fast.
"""

import logging
import shutil
import time
from pathlib import Path
from typing import NamedTuple, TypeAlias, cast

import qdrant_edge as qdrant

from services.retrieval.vectors import Hit, Point, Space, Where, payload
from services.retrieval.vectors.calls import Ahead
from services.retrieval.vectors.payload import OneOf, Term, Within
from services.retrieval.vectors.words import Words

log = logging.getLogger(__name__)

# Flushing shortens the write-ahead log. It takes tens of milliseconds, so it waits for quiet, up to so many updates.
_UPDATES_UNFLUSHED = 200
# Ends the names of the spaces' folders; those of another layout are left alone, and their points made anew here.
_LAYOUT = f".{payload.LAYOUT}"
# A space is one segment, so more threads would only wake each other for nothing: that doubles a search's CPU time.
_THREADS = 1
_MOST_AHEAD = 64

# Points' numbers, with how near they are.
_Scores: TypeAlias = "dict[qdrant.PointId, float]"


class _Worded(NamedTuple):
    """What the words of a question find within `only`, and the filter for just that."""

    only: qdrant.Filter
    scores: "_Scores"
    found: qdrant.Filter


class Engine:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._words = Words()
        self._shards: dict[str, _Shard] = {}
        self._ahead: dict[int, _Worded] = {}
        for known in folder.iterdir():
            if known.is_dir() and known.name.endswith(_LAYOUT):
                self._open(known)

    def ensure(self, space: Space) -> bool:
        if space.name in self._shards:
            return False
        folder = self._folder / f"{space.name}{_LAYOUT}"
        self._shards[space.name] = _Shard(qdrant.EdgeShard.create(str(folder), _config(_dense(space))))
        return True

    def upsert(self, space: Space, points: list[Point]) -> None:
        self.ensure(space)
        self._ahead.clear()
        self._shards[space.name].upsert([self._point(point) for point in points])

    def look_ahead(self, asked: Ahead) -> None:
        """Whoever asks in vain leaves it behind, so the oldest goes."""
        while len(self._ahead) >= _MOST_AHEAD:
            del self._ahead[next(iter(self._ahead))]
        self._ahead[asked.id] = self._worded(asked)

    def search(self, asked: Ahead, vector: bytes) -> list[Hit]:
        shard = self._shards.get(asked.space.name)
        if shard is None:
            return []
        words = self._ahead.pop(asked.id, None) or self._worded(asked)
        nearest = qdrant.Query.Nearest(payload.floats(vector), using=payload.DENSE)
        asks = [qdrant.QueryRequest(asked.limit, query=nearest, filter=words.only)]
        if words.scores:
            # A second look costs less than bringing their vectors out of the engine.
            asks.append(qdrant.QueryRequest(len(words.scores), query=nearest, filter=words.found))
        cosines = shard.scores(*asks)
        # The bindings' types leave open which of its kinds an id is.
        return [Hit(cast("int", number), score, words.scores.get(number, 0.0)) for number, score in cosines.items()]

    def _worded(self, asked: Ahead) -> _Worded:
        only = _filter(payload.terms(asked.where))
        nearest = qdrant.Query.Nearest(self._words.of_question(asked.text), using=payload.SPARSE)
        shard = self._shards.get(asked.space.name)
        scores = shard.scores(qdrant.QueryRequest(asked.limit, query=nearest, filter=only)) if shard else {}
        return _Worded(only, scores, qdrant.Filter(must=[qdrant.HasIdCondition(set(scores))]))

    def count(self, space: Space, where: Where) -> int:
        shard = self._shards.get(space.name)
        return shard.count(_filter(payload.terms(where))) if shard else 0

    def forget(self, terms: list[Term]) -> None:
        self._ahead.clear()
        for shard in self._shards.values():
            shard.forget(_filter(terms))

    def flush(self) -> None:
        for shard in self._shards.values():
            shard.flush()

    def close(self) -> None:
        for shard in self._shards.values():
            shard.close()

    def _open(self, folder: Path) -> None:
        """Vectors can be made again, so what can't be read is put aside instead of keeping the service down."""
        try:
            self._shards[folder.name.removesuffix(_LAYOUT)] = _Shard(qdrant.EdgeShard.load(str(folder), _config()))
        except Exception as error:
            aside = folder.with_name(f".broken-{folder.name}-{time.time_ns()}")
            shutil.move(folder, aside)
            log.error(
                "Vectors could not be opened and were put aside", extra={"folder": str(aside), "error": str(error)}
            )

    def _point(self, point: Point) -> qdrant.Point:
        vectors = {payload.DENSE: payload.floats(point.vector), payload.SPARSE: self._words.of_chunk(point.text)}
        return qdrant.Point(point.number, vectors, payload.of(point))


class _Shard:
    """One space, with the indexes it has."""

    def __init__(self, shard: qdrant.EdgeShard) -> None:
        self._shard = shard
        self._updates = 0
        self._indexed = set(shard.info().payload_schema)
        for field in payload.KEYWORDS:
            self._index(field, qdrant.KeywordIndexParams(is_tenant=field == payload.SCOPE))

    def upsert(self, points: list[qdrant.Point]) -> None:
        for field in set().union(*(payload.number_fields(point.payload or {}) for point in points)):
            if len(self._indexed) < payload.MOST_NUMBER_INDEXES:
                self._index(field, qdrant.FloatIndexParams())
        self._update(qdrant.UpdateOperation.upsert_points(points))

    def scores(self, *asks: qdrant.QueryRequest) -> _Scores:
        """What all of them find together, with how near it is."""
        found = self._shard.query_batch(qdrant.QueryBatchRequest(list(asks)))
        return {point.id: point.score for points in found for point in points}

    def count(self, only: qdrant.Filter) -> int:
        return self._shard.count(qdrant.CountRequest(filter=only, exact=True))

    def forget(self, only: qdrant.Filter) -> None:
        self._update(qdrant.UpdateOperation.delete_points_by_filter(only))

    def flush(self) -> None:
        if self._updates:
            self._shard.flush()
            self._updates = 0

    def close(self) -> None:
        self._shard.close()

    def _update(self, operation: qdrant.UpdateOperation) -> None:
        self._shard.update(operation)
        self._updates += 1
        if self._updates >= _UPDATES_UNFLUSHED:
            self.flush()

    def _index(self, field: str, parameters: qdrant.KeywordIndexParams | qdrant.FloatIndexParams) -> None:
        if field not in self._indexed:
            self._shard.update(qdrant.UpdateOperation.create_field_index(field, parameters))
            self._indexed.add(field)


def _config(dense: qdrant.EdgeVectorParams | None = None) -> qdrant.EdgeConfig:
    """Of a shard to be made, or of one that is there, which knows its dense vectors itself."""
    return qdrant.EdgeConfig(
        vectors=None if dense is None else {payload.DENSE: dense},
        sparse_vectors={payload.SPARSE: qdrant.EdgeSparseVectorParams(modifier=qdrant.Modifier.Idf)},
        max_search_threads=_THREADS,
    )


def _dense(space: Space) -> qdrant.EdgeVectorParams:
    """Kept at 8 bits a number: a scan of all is three times as fast, and a cosine is off by 0.001 or so."""
    return qdrant.EdgeVectorParams(
        space.dimensions, qdrant.Distance.Cosine, datatype=qdrant.VectorStorageDatatype.Turbo8
    )


def _filter(terms: list[Term]) -> qdrant.Filter:
    return qdrant.Filter(must=[_condition(term) for term in terms])


def _condition(term: Term) -> qdrant.FieldCondition:
    match term:
        case OneOf(field, [value]):
            # Several times faster than any-of-one, for the tenant's field as well.
            return qdrant.FieldCondition(field, match=qdrant.MatchValue(value))
        case OneOf(field, values):
            return qdrant.FieldCondition(field, match=qdrant.MatchAny(values))
        case Within(field, bounds):
            return qdrant.FieldCondition(
                field, range=qdrant.RangeFloat(gt=bounds.gt, gte=bounds.gte, lt=bounds.lt, lte=bounds.lte)
            )
