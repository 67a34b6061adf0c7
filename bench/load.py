"""The load generator: kept-alive HTTP/1.1 connections on bare asyncio protocols, which leave the core to the upstream.

A `Connection` sends one request at a time and hands out the answer's status and body, piece by piece where asked.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import cast
from urllib.parse import urlsplit

from msgspec import Struct


class Connection(asyncio.Protocol):
    """One kept-alive connection. Understands Content-Length and chunked answers, which is all that is measured here."""

    def __init__(self) -> None:
        self.pieces: asyncio.Queue[bytes] = asyncio.Queue()
        self.rest = b""

    @classmethod
    async def open(cls, url: str) -> "Connection":
        address = urlsplit(url)
        _, protocol = await asyncio.get_running_loop().create_connection(
            cls, address.hostname or "127.0.0.1", address.port or 80
        )
        return protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self.pieces.put_nowait(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self.pieces.put_nowait(b"")

    async def _more(self) -> bytes:
        piece = await self.pieces.get()
        if not piece:
            raise ConnectionError("the server closed the connection")
        return piece

    async def send(self, request: bytes) -> int:
        """Writes a request and reads the answer's head. Returns the status."""
        self.transport.write(request)
        received = self.rest
        while b"\r\n\r\n" not in received:
            received += await self._more()
        head, _, self.rest = received.partition(b"\r\n\r\n")
        lower = head.lower()
        self.is_chunked = b"transfer-encoding: chunked" in lower
        self.left = 0 if self.is_chunked else int(lower.partition(b"content-length:")[2].partition(b"\r\n")[0])
        return int(head[9:12])

    async def body(self) -> AsyncIterator[bytes]:
        """The answer's body as it comes in, without the framing of chunks."""
        if self.is_chunked:
            async for piece in self._chunks():
                yield piece
            return
        while self.left:
            if not self.rest:
                self.rest = await self._more()
            piece, self.rest = self.rest[: self.left], self.rest[self.left :]
            self.left -= len(piece)
            yield piece

    async def _chunks(self) -> AsyncIterator[bytes]:
        while True:
            while b"\r\n" not in self.rest:
                self.rest += await self._more()
            size, _, self.rest = self.rest.partition(b"\r\n")
            length = int(size, 16)
            while len(self.rest) < length + 2:
                self.rest += await self._more()
            piece, self.rest = self.rest[:length], self.rest[length + 2 :]
            if not length:
                return
            yield piece

    async def text(self, request: bytes) -> tuple[int, bytes]:
        status = await self.send(request)
        return status, b"".join([piece async for piece in self.body()])


def post(url: str, body: bytes, key: str = "") -> bytes:
    address = urlsplit(url)
    return (
        b"POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nAuthorization: Bearer %s\r\n"
        b"Content-Length: %d\r\n\r\n%s"
        % (address.path.encode(), address.netloc.encode(), key.encode(), len(body), body)
    )


def get(url: str) -> bytes:
    address = urlsplit(url)
    return b"GET %s HTTP/1.1\r\nHost: %s\r\nAccept: text/event-stream\r\n\r\n" % (
        f"{address.path}?{address.query}".rstrip("?").encode(),
        address.netloc.encode(),
    )


class Answers(Struct):
    """What a stretch of load saw. Latencies in milliseconds; `errors` counts answers other than 200."""

    seconds: float
    latencies: list[float]
    errors: int

    @property
    def per_second(self) -> float:
        return len(self.latencies) / self.seconds


async def saturate(url: str, requests: Callable[[], Iterator[bytes]], *, connections: int, seconds: float) -> Answers:
    """Sends as fast as `connections` allow, each its next request once its answer is whole."""
    deadline = time.monotonic() + seconds
    answers = Answers(seconds, [], 0)

    async def one() -> None:
        connection = await Connection.open(url)
        for request in requests():
            began = time.monotonic()
            if began > deadline:
                break
            status, _ = await connection.text(request)
            answers.latencies.append((time.monotonic() - began) * 1e3)
            answers.errors += status != 200
        connection.transport.close()

    await asyncio.gather(*(one() for _ in range(connections)))
    return answers


def percentile(values: list[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else float("nan")
