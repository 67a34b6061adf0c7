"""Search: a question is embedded, the nearest chunks by meaning and by words are looked up and put in one order, and
their texts come from Postgres.

So what was deleted is gone at once, whatever its vectors do.
"""

from functools import partial

from libs.contracts import search
from libs.contracts.faults import Code, Fault, not_found
from libs.postgres.database import Database
from services.retrieval import fusion, metrics, reranking
from services.retrieval.embeddings import Embedder
from services.retrieval.fusion import fused
from services.retrieval.merging import merged
from services.retrieval.reranking import Reranker
from services.retrieval.store import chunks, contexts
from services.retrieval.vectors import Hit, Question, Vectors, Where

_MOST = 100
_SECONDS = 15.0
# Chunks of deleted documents may still be among the nearest.
_SPARE = 20
# Of a long question, its beginning and its end: what is asked mostly stands in one of them.
_LONGEST = 4000


class Search:
    """`words` is what sharing words with the question counts, of 1."""

    def __init__(
        self, database: Database, embedder: Embedder, vectors: Vectors, reranker: Reranker | None, *, words: float
    ) -> None:
        self._database, self._embedder, self._vectors = database, embedder, vectors
        self._reranker, self._words = reranker, words

    async def query(self, request: search.Query) -> list[search.Passage]:
        """Raises Fault INVALID, and NOT_FOUND for a context that isn't there."""
        _check(request)
        with metrics.SEARCHES.time():
            return await self._found(request)

    async def _found(self, request: search.Query) -> list[search.Passage]:
        text = _shortened(request.text)
        where = Where(request.workspace_id, request.context_ids, request.conditions)
        candidates = max(request.limit + _SPARE, fusion.CANDIDATES)
        question = Question(text, partial(self._embedded, text))
        hits = await self._vectors.search(await self._embedder.space(), where, question, limit=candidates)
        if not hits:
            await self._must_exist(request)
        near = [hit for hit in fused(hits, self._words) if max(0.0, hit.score) >= request.min_score]
        return merged(await self._best(request, text, near))

    async def _embedded(self, text: str) -> bytes:
        [vector] = await self._embedder.embed([text], deadline=_SECONDS)
        return vector

    async def _best(self, request: search.Query, text: str, hits: list[Hit]) -> list[search.Passage]:
        if self._reranker is None:
            return await self._told(request, hits, request.limit)
        found = await self._told(request, hits, max(request.limit, reranking.CANDIDATES))
        order = await self._reranker.order(text, [passage.text for passage in found])
        return [found[place] for place in order[: request.limit]]

    async def _told(self, request: search.Query, hits: list[Hit], limit: int) -> list[search.Passage]:
        """The best that are still there: no more rows are read than are missing."""
        passages: list[search.Passage] = []
        while hits and len(passages) < limit:
            wanted = limit - len(passages)
            asked, hits = hits[:wanted], hits[wanted:]
            found = await chunks.passages(self._database, request, {hit.number: _score(hit) for hit in asked})
            if found.contexts != len(set(request.context_ids)):
                await self._must_exist(request)
            passages += [found.passages[hit.number] for hit in asked if hit.number in found.passages]
        return passages

    async def _must_exist(self, request: search.Query) -> None:
        there = await contexts.revisions(self._database, request.workspace_id, request.context_ids)
        for id in request.context_ids:
            if id not in there:
                raise not_found("context", id)


def _check(request: search.Query) -> None:
    if not request.context_ids:
        raise Fault(Code.INVALID, "Name at least one context.", field="context_ids")
    if not request.text.strip():
        raise Fault(Code.INVALID, "The question is empty.", field="text")
    if not 1 <= request.limit <= _MOST:
        raise Fault(Code.INVALID, f"The limit is a number from 1 to {_MOST}.", field="limit")


def _score(hit: Hit) -> float:
    """Rounding may leave a cosine a little outside."""
    return min(1.0, max(0.0, hit.score))


def _shortened(text: str) -> str:
    if len(text) <= _LONGEST:
        return text
    return f"{text[: _LONGEST // 2]}\n{text[-_LONGEST // 2 :]}"
