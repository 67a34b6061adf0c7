"""Search: a question is embedded, the nearest chunks are looked up, and their texts come from Postgres.

So what was deleted is gone at once, whatever its vectors do.
"""

from uuid import UUID

from libs.contracts import search
from libs.contracts.faults import Code, Fault, not_found
from libs.postgres.database import Database
from services.retrieval import metrics
from services.retrieval.embeddings import Embedder
from services.retrieval.store import chunks, contexts
from services.retrieval.vectors import Question, Vectors, Where

_MOST = 100
_SECONDS = 15.0
# Chunks of deleted documents may still be among the nearest.
_SPARE = 20
# Of a long question, its beginning and its end: what is asked mostly stands in one of them.
_LONGEST = 4000


class Search:
    def __init__(self, database: Database, embedder: Embedder, vectors: Vectors) -> None:
        self._database, self._embedder, self._vectors = database, embedder, vectors

    async def query(self, request: search.Query) -> list[search.Passage]:
        """Raises Fault INVALID, and NOT_FOUND for a context that isn't there."""
        _check(request)
        with metrics.SEARCHES.time():
            return await self._found(request)

    async def _found(self, request: search.Query) -> list[search.Passage]:
        text = _shortened(request.text)
        [vector] = await self._embedder.embed([text], deadline=_SECONDS)
        where = Where(request.workspace_id, request.context_ids, request.conditions)
        hits = await self._vectors.search(
            await self._embedder.space(), where, Question(text, vector), limit=request.limit + _SPARE
        )
        if not hits:
            await self._must_exist(request)
        near = {hit.id: min(1.0, max(0.0, hit.score)) for hit in hits}
        return await self._told(request, {id: score for id, score in near.items() if score >= request.min_score})

    async def _told(self, request: search.Query, scores: dict[UUID, float]) -> list[search.Passage]:
        """The best that are still there: no more rows are read than are missing."""
        passages: list[search.Passage] = []
        left = list(scores)
        while left and len(passages) < request.limit:
            wanted = request.limit - len(passages)
            asked, left = left[:wanted], left[wanted:]
            found = await chunks.passages(self._database, request, {id: scores[id] for id in asked})
            if found.contexts != len(set(request.context_ids)):
                await self._must_exist(request)
            passages += [found.passages[id] for id in asked if id in found.passages]
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


def _shortened(text: str) -> str:
    if len(text) <= _LONGEST:
        return text
    return f"{text[: _LONGEST // 2]}\n{text[-_LONGEST // 2 :]}"
