"""Pacing: the events of a stream with a gap between every two.

For clients that take in only the first event of each network read. What comes within the gap waits, and is handed on
together, so that a fast run is slowed down by no more than one gap. While the reader is too slow little gathers: the
sender waits for it.
"""

import asyncio
from collections.abc import Callable
from types import TracebackType
from typing import Self

from libs.bus.order import weight
from libs.contracts.feed import Frame
from services.gateway.http.sse import Event, Stream

GAP_SECONDS = 0.002
# Bytes, about. What is being written is as much again.
_MOST_WAITING = 64 << 10


class Paced:
    """`join` makes events of the frames that are due together. Leaving it writes what still waits."""

    def __init__(self, stream: Stream, join: Callable[[list[Frame]], list[Event]], *, gap: float = GAP_SECONDS) -> None:
        self._stream, self._join, self._gap = stream, join, gap
        self._waiting: list[Frame] = []
        self._weight = 0
        self._writer: asyncio.Task[None] | None = None

    async def send(self, frame: Frame) -> None:
        self._waiting.append(frame)
        self._weight += weight(frame)
        if self._writer is None and self._wait() <= 0:
            await self._write()
        elif self._writer is None:
            self._writer = asyncio.create_task(self._write_later())
        elif self._writer.done() or self._stream.blocked or self._weight >= _MOST_WAITING:
            await self._finish()

    async def _write_later(self) -> None:
        while self._waiting:
            await asyncio.sleep(self._wait())
            await self._write()

    async def _write(self) -> None:
        taken, self._waiting, self._weight = self._waiting, [], 0
        for event in self._join(taken):
            if (wait := self._wait()) > 0:
                await asyncio.sleep(wait)
            await self._stream.write(event)

    def _wait(self) -> float:
        return self._stream.written_at + self._gap - asyncio.get_running_loop().time()

    async def _finish(self) -> None:
        """Raises what the writer met."""
        writer, self._writer = self._writer, None
        if writer is not None:
            await writer
        await self._write()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        if kind is None:
            await self._finish()
        elif self._writer is not None:
            self._writer.cancel()
            await asyncio.gather(self._writer, return_exceptions=True)
