"""Vectors on one machine: Qdrant's embedded engine in a child process, which never holds the service back.

Owner: one service process a folder. The child is started on first use and again after its death; every call may be
made twice without harm, so one that a death interrupted is asked again.
"""

import asyncio
import itertools
import logging
from pathlib import Path
from typing import TypeVar
from uuid import UUID

import msgspec

from libs.contracts.faults import Code, Fault
from services.retrieval.children.child import Child, Died
from services.retrieval.vectors import Hit, Point, Question, Space, Where
from services.retrieval.vectors.calls import Ahead, Call, Count, Ensure, Forget, Search, Upsert

log = logging.getLogger(__name__)
T = TypeVar("T")

# A search waits for one batch at most.
_BATCH = 64
_DEADLINE = 120.0


class EmbeddedVectors:
    def __init__(self, folder: Path) -> None:
        self._child = Child("services.retrieval.vectors.process", str(folder))
        self._writing = asyncio.Lock()
        self._searches = itertools.count(1)

    async def ensure(self, space: Space) -> bool:
        return await self._ask(Ensure(space), bool)

    async def upsert(self, space: Space, points: list[Point]) -> None:
        for start in range(0, len(points), _BATCH):
            async with self._writing:
                await self._ask(Upsert(space, points[start : start + _BATCH]), type(None))

    async def search(self, space: Space, where: Where, question: Question, *, limit: int) -> list[Hit]:
        words = Ahead(next(self._searches), space, where, question.text, limit)
        self._child.tell(words)
        return await self._ask(Search(words, await question.embed()), list[Hit])

    async def count(self, space: Space, where: Where) -> int:
        return await self._ask(Count(space, where), int)

    async def forget(self, workspace_id: UUID, context_id: UUID, document_ids: list[UUID] | None = None) -> None:
        await self._ask(Forget(workspace_id, context_id, document_ids), type(None))

    async def close(self) -> None:
        await self._child.close()

    async def _ask(self, call: Call, answer: type[T]) -> T:
        for _ in range(2):
            try:
                async with asyncio.timeout(_DEADLINE):
                    return msgspec.msgpack.decode(await self._child.ask(call), type=answer)
            except Died:
                log.warning("The vector engine died and is started again")
            except TimeoutError:
                log.error("The vector engine hangs and is started again")
                await self._child.end()
        raise Fault(Code.UNAVAILABLE, "The vectors can't be reached; try again.", retry_after=2)
