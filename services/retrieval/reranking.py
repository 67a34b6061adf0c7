"""Reranking: a model that reads question and passage together puts the found ones in its order.

It is asked at a `/rerank` endpoint of Cohere's shape, which many servers speak. Its address is the operator's, so it
may be inside the network. The rule: a search never fails for it; while it is away the order is that of the fusion.
"""

import asyncio
import logging
import time

import aiohttp
import msgspec
from msgspec import Struct

from libs.egress import Egress
from services.retrieval import model_servers

log = logging.getLogger(__name__)

# A model that failed is left alone for so long, so that not every search waits for its deadline.
_REST_SECONDS = 10.0
_MOST_BYTES = 1 << 20
# What it is asked to read, however few passages are wanted.
CANDIDATES = 30


class Result(Struct, frozen=True):
    index: int
    relevance_score: float


class Reply(Struct, frozen=True):
    """Cohere, Jina and llama.cpp answer with `results`, Voyage with `data`."""

    results: list[Result] | None = None
    data: list[Result] | None = None


_reply = msgspec.json.Decoder(Reply).decode


class Reranker:
    """`seconds` is what one search may wait, `rest` how long a model that failed is not asked again."""

    def __init__(
        self, egress: Egress, *, url: str, model: str, key: str = "", seconds: float, rest: float = _REST_SECONDS
    ) -> None:
        self._egress, self._url, self._model, self._key = egress, url.rstrip("/") + "/rerank", model, key
        self._seconds, self._rest = seconds, rest
        self._session: aiohttp.ClientSession | None = None
        self._resting_until = 0.0
        self._is_failing = False

    async def order(self, question: str, texts: list[str]) -> list[int]:
        """The numbers of the texts, best first; as they came where the model doesn't answer."""
        if len(texts) < 2 or time.monotonic() < self._resting_until:
            return list(range(len(texts)))
        try:
            async with asyncio.timeout(self._seconds):
                ranked = await self._asked(question, texts)
        except (aiohttp.ClientError, TimeoutError, msgspec.MsgspecError, _Odd) as error:
            self._failed(error)
            return list(range(len(texts)))
        self._is_failing = False
        return ranked

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    async def _asked(self, question: str, texts: list[str]) -> list[int]:
        body = {"model": self._model, "query": question, "documents": texts, "top_n": len(texts)}
        async with self._opened().post(self._url, data=msgspec.json.encode(body)) as answer:
            if answer.status != 200:
                raise _Odd(f"it answered {answer.status}")
            told = await model_servers.whole(answer, _MOST_BYTES)
        if told is None:
            raise _Odd("its answer is too large")
        return _ranked(_reply(told), len(texts))

    def _failed(self, error: Exception) -> None:
        self._resting_until = time.monotonic() + self._rest
        if not self._is_failing:
            reason = str(error) or type(error).__name__
            log.warning("The reranker fails, and searches go on without it", extra={"error": reason})
        self._is_failing = True

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = model_servers.session(self._egress, self._key, seconds=self._seconds)
        return self._session


class _Odd(Exception):
    """It answered, and not with an order."""


def _ranked(reply: Reply, count: int) -> list[int]:
    """Texts that it left out come last, as they came."""
    results = reply.results if reply.results is not None else reply.data
    if results is None:
        raise _Odd("its answer has no results")
    named = list(dict.fromkeys(result.index for result in sorted(results, key=lambda each: -each.relevance_score)))
    if not all(0 <= index < count for index in named):
        raise _Odd("it names passages that it was not given")
    return named + [index for index in range(count) if index not in named]
