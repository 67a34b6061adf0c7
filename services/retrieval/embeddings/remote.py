"""An OpenAI-compatible `/embeddings` endpoint. Its address is the operator's, so it may be inside the network."""

import asyncio
import random
import re
from array import array
from typing import Any

import aiohttp
import msgspec
from msgspec import Struct

from libs.contracts.faults import Code, Fault
from libs.egress import Egress
from services.retrieval import model_servers
from services.retrieval.vectors import Space

_BATCH = 64
_AT_ONCE = 4
_SECONDS = 60.0
_TRIES = 4
_FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 20.0
_MOST_BYTES = 64 * 1024 * 1024
_AGAIN = {408, 409, 425, 429, 500, 502, 503, 504}


class Embedding(Struct, frozen=True):
    embedding: list[float]
    index: int = 0


class Reply(Struct, frozen=True):
    data: list[Embedding]


class Refusal(Struct, frozen=True):
    error: Any = None


_reply = msgspec.json.Decoder(Reply).decode
_refusal = msgspec.json.Decoder(Refusal).decode


class RemoteEmbedder:
    def __init__(self, egress: Egress, *, url: str, model: str, key: str = "") -> None:
        self.name = model
        self._egress = egress
        self._url, self._key = url.rstrip("/") + "/embeddings", key
        self._space: Space | None = None
        self._session: aiohttp.ClientSession | None = None
        self._slots = asyncio.Semaphore(_AT_ONCE)

    async def space(self) -> Space:
        if self._space is None:
            [vector] = await self._batch(["How many dimensions are there?"])
            dimensions = len(vector) // 4
            self._space = Space(f"{_slug(self.name)}-{dimensions}", dimensions)
        return self._space

    async def embed(self, texts: list[str], *, deadline: float = 60.0) -> list[bytes]:
        batches = [texts[start : start + _BATCH] for start in range(0, len(texts), _BATCH)]
        try:
            async with asyncio.timeout(deadline):
                space = await self.space()
                found = await asyncio.gather(*map(self._batch, batches))
        except TimeoutError:
            raise Fault(Code.TIMEOUT, f"The embedding model took longer than {deadline:g} seconds.") from None
        vectors = [vector for batch in found for vector in batch]
        if any(len(vector) != 4 * space.dimensions for vector in vectors):
            raise Fault(Code.UPSTREAM, "The embedding model changed the number of its dimensions: restart the service.")
        return vectors

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    async def _batch(self, texts: list[str]) -> list[bytes]:
        async with self._slots:
            for tried in range(1, _TRIES + 1):
                try:
                    return await self._once(texts)
                except _Again as again:
                    if tried == _TRIES:
                        raise again.fault from None
                    await asyncio.sleep(again.pause or _FIRST_PAUSE * 2 ** (tried - 1) * random.uniform(0.5, 1))  # noqa: S311
        raise AssertionError("every try returns or raises")

    async def _once(self, texts: list[str]) -> list[bytes]:
        question = {"model": self.name, "input": texts, "encoding_format": "float"}
        try:
            async with self._opened().post(self._url, data=msgspec.json.encode(question)) as answer:
                body = await model_servers.whole(answer, _MOST_BYTES)
                if body is None:
                    raise Fault(Code.UPSTREAM, "The embedding model's answer is too large.")
                if answer.status != 200:
                    raise self._refused(answer, body)
        except (aiohttp.ClientError, TimeoutError) as error:
            raise _Again(
                Fault(Code.UPSTREAM, f"The embedding model can't be reached: {type(error).__name__}.")
            ) from error
        return _vectors(body, len(texts))

    def _refused(self, answer: aiohttp.ClientResponse, body: bytes) -> Exception:
        said = _said(body).replace(self._key or "\0", "…")
        fault = Fault(Code.UPSTREAM, f"The embedding model answered {answer.status}: {said}")
        if answer.status not in _AGAIN:
            return fault
        pause = answer.headers.get("Retry-After", "")
        return _Again(fault, min(float(pause), _LONGEST_PAUSE) if pause.isdigit() else None)

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = model_servers.session(self._egress, self._key, seconds=_SECONDS)
        return self._session


class _Again(Exception):
    """It may go better in `pause` seconds."""

    def __init__(self, fault: Fault, pause: float | None = None) -> None:
        super().__init__(fault.message)
        self.fault, self.pause = fault, pause


def _vectors(body: bytes, wanted: int) -> list[bytes]:
    try:
        found = sorted(_reply(body).data, key=lambda each: each.index)
    except msgspec.MsgspecError as error:
        raise Fault(Code.UPSTREAM, f"The embedding model's answer can't be read: {error}") from error
    if len(found) != wanted or not all(each.embedding for each in found):
        raise Fault(Code.UPSTREAM, f"The embedding model gave {len(found)} vectors for {wanted} texts.")
    return [array("f", each.embedding).tobytes() for each in found]


def _said(body: bytes) -> str:
    """The provider's own words, where they are found."""
    try:
        error = _refusal(body).error
    except msgspec.MsgspecError:
        return body[:200].decode(errors="replace")
    message = error.get("message") if isinstance(error, dict) else error
    return str(message or body[:200].decode(errors="replace"))[:500]


def _slug(model: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", model.lower()).strip("-")[:60] or "model"
