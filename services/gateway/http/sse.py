"""Streams: server-sent events and other framings, heartbeats on quiet ones, and their end when the process stops.

Shared by every voice.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import Protocol

from aiohttp import web
from msgspec import Struct

from libs.contracts.faults import Fault
from services.gateway.http import effect, metrics
from services.gateway.http.requests import REQUEST, REQUEST_ID

BEGUN = web.RequestKey("begun", web.StreamResponse)

_HEADERS = {"Cache-Control": "no-cache, no-transform", "X-Accel-Buffering": "no"}
_QUIET_SECONDS = 15.0
_BEAT_SECONDS = 5.0
# Between the look at a request's key and the beginning of its stream, at most.
_OPENING_SECONDS = 60.0


class Framing(Struct, frozen=True):
    """How a kind of stream is told by its header, and what keeps a quiet one alive without saying anything."""

    content_type: str
    heartbeat: bytes


EVENTS = Framing("text/event-stream; charset=utf-8", b": still here\n\n")


class Written(Protocol):
    """What a stream is made of: an event, a line."""

    def encoded(self) -> bytes: ...


class Event(Struct, frozen=True):
    """`data` holds no line break, and is empty where only the place is told.

    `name` is left out for the default, message. The id comes last: whoever has read it has read what it stands for,
    wherever the connection breaks.
    """

    data: bytes
    id: str = ""
    name: str = ""

    def encoded(self) -> bytes:
        name = f"event: {self.name}\n".encode() if self.name else b""
        id = f"id: {self.id}\n".encode() if self.id else b""
        data = b"data: %b\n" % self.data if self.data else b""
        return b"".join((name, data, id, b"\n"))


class Stream:
    """One streamed response, written by `task`. `written_at` is the loop's time of its last write.

    `blocked`: the reader is slow, and the last write waits until it has taken in what was written before.
    """

    def __init__(
        self, response: web.StreamResponse, key_hash: str, heartbeat: bytes, transport: asyncio.Transport | None
    ) -> None:
        self.response, self.key_hash, self._heartbeat, self._transport = response, key_hash, heartbeat, transport
        self.task = this_task()
        self.written_at = _now()
        self.blocked = False

    async def write(self, event: Written) -> None:
        self.written_at, self.blocked = _now(), True
        await self.response.write(event.encoded())
        self.blocked = False

    async def beat(self) -> None:
        """Never waits: a reader that has not taken in what there is needs no sign of life."""
        if not self.blocked and self._transport is not None and not self._transport.get_write_buffer_size():
            self.written_at = _now()
            await self.response.write(self._heartbeat)

    def let_go(self) -> None:
        """Breaks the connection off, whatever still waits to be sent."""
        if self._transport is not None:
            self._transport.abort()


class Open(Protocol):
    """A connection that goes on: what ends it is cancelling its `task`."""

    key_hash: str
    task: asyncio.Task[object]
    written_at: float
    blocked: bool

    async def beat(self) -> None: ...

    def let_go(self) -> None: ...


class Streams:
    """The streams that this process has open, and other connections that end as they do.

    A reader that takes in nothing for `stalled_seconds` is let go.
    """

    def __init__(self, *, stalled_seconds: float) -> None:
        self._stalled_seconds = stalled_seconds
        self._open: set[Open] = set()
        self._doubted: set[str] = set()
        self._ended: dict[str, float] = {}
        self._doubts = asyncio.Event()

    @asynccontextmanager
    async def open(
        self,
        request: web.Request,
        *,
        key_hash: str = "",
        framing: Framing = EVENTS,
        headers: Mapping[str, str] | None = None,
    ) -> AsyncIterator[Stream]:
        """Sends the headers at once, and the end of the body at the end. `key_hash` is that of the caller's key."""
        told = {"Content-Type": framing.content_type, REQUEST_ID: request[REQUEST], **(headers or {})}
        response = web.StreamResponse(headers=_HEADERS | told | effect.headers(request))
        request[BEGUN] = response
        await response.prepare(request)
        await effect.streams(request)
        stream = Stream(response, key_hash, framing.heartbeat, request.transport)
        with self.holding(stream):
            yield stream
            await response.write_eof()

    @contextmanager
    def holding(self, connection: Open) -> Iterator[None]:
        """While it is held it is kept awake, and ends with its key and with this process."""
        if connection.key_hash in self._ended:
            connection.task.cancel()
        self._open.add(connection)
        metrics.STREAMS.inc()
        try:
            yield
        finally:
            self._open.discard(connection)
            metrics.STREAMS.dec()

    async def beat(self) -> None:
        """Keeps quiet streams from being taken for dead on the way, and lets go of those that nobody reads. Runs as
        long as the process serves.
        """
        while True:
            await asyncio.sleep(min(_BEAT_SECONDS, self._stalled_seconds / 2))
            now = _now()
            for stream in [each for each in self._open if each.blocked]:
                if stream.written_at < now - self._stalled_seconds:
                    metrics.STALLED.inc()
                    stream.let_go()
            quiet = [stream for stream in self._open if stream.written_at < now - _QUIET_SECONDS]
            # That a reader has left is its own task's to find out.
            await asyncio.gather(*(stream.beat() for stream in quiet), return_exceptions=True)

    def end(self) -> None:
        """Breaks every stream off: its client resumes at another process."""
        for stream in self._open:
            stream.task.cancel()

    def doubt(self, key_hash: str) -> None:
        """Something about a key changed: it may have been revoked, or have been new."""
        self._doubted.add(key_hash)
        self._doubts.set()

    async def sift(self, valid: Callable[[str], Awaitable[bool]]) -> None:
        """Breaks off the streams of keys that are no longer valid. Runs as long as the process serves."""
        while True:
            await self._doubts.wait()
            while self._doubted:
                key_hash = self._doubted.pop()
                try:
                    still_valid = await valid(key_hash)
                except Fault:
                    # Asked again when the database answers, and so are all that are left.
                    self._doubted.add(key_hash)
                    raise
                if still_valid:
                    self._ended.pop(key_hash, None)
                else:
                    self._end_of(key_hash)
            self._doubts.clear()

    def _end_of(self, key_hash: str) -> None:
        """Also those whose request was let in before, and which are not open yet."""
        now = _now()
        while self._ended and next(iter(self._ended.values())) < now - _OPENING_SECONDS:
            del self._ended[next(iter(self._ended))]
        self._ended.pop(key_hash, None)  # the newest comes last
        self._ended[key_hash] = now
        for stream in self._open:
            if stream.key_hash == key_hash:
                stream.task.cancel()


def _now() -> float:
    return asyncio.get_running_loop().time()


def this_task() -> asyncio.Task[object]:
    task = asyncio.current_task()
    assert task is not None
    return task
