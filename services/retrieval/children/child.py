"""A child process, as the service sees it: asked questions in any number at once, answered in any order.

Owner: the one object that calls it. A child starts on first use, again after its death, and dies with its parent; it
inherits no secret of the service.
"""

import asyncio
import itertools
import os
import socket
import sys
from pathlib import Path
from typing import cast

import msgspec

from services.retrieval.children import frames

_ROOT = Path(__file__).parents[3]
_ENVIRONMENT = {
    "PATH": os.defpath,
    "LANG": "C.UTF-8",
    "PYTHONPATH": str(_ROOT),
    "MALLOC_ARENA_MAX": "2",
    "TOKENIZERS_PARALLELISM": "false",
}
_GRACE = 10.0


class Died(Exception):
    """The child process ended before it answered."""


class Child:
    """Runs `python -m <module> <descriptor> <parent's id> <arguments>`.

    With `idle` it is ended after so many seconds without a question.
    """

    def __init__(self, module: str, *arguments: str, idle: float | None = None) -> None:
        self._command = (module, arguments)
        self._idle = idle
        self._life: _Life | None = None
        self._starting = asyncio.Lock()
        self._closed = False
        self._resting: asyncio.TimerHandle | None = None

    async def ask(self, question: object) -> msgspec.Raw:
        """The packed answer. Raises Died when the child ends first, RuntimeError with what it says of its failure."""
        life = await self._alive()
        try:
            return await life.ask(question)
        finally:
            self._rest(life)

    def tell(self, statement: object) -> None:
        """What has no answer. Without a child nobody is told."""
        if self._life is not None and not self._life.over:
            self._life.tell(statement)

    async def close(self) -> None:
        """For good."""
        self._closed = True
        await self.end()

    async def end(self) -> None:
        """Until the next question."""
        life, self._life = self._life, None
        if self._resting is not None:
            self._resting.cancel()
        if life is not None:
            await life.end()

    async def _alive(self) -> "_Life":
        async with self._starting:
            if self._closed:
                raise Died
            if self._life is None or self._life.over:
                self._life = await _Life.begin(*self._command)
            return self._life

    def _rest(self, life: "_Life") -> None:
        if self._resting is not None:
            self._resting.cancel()
        if self._idle is not None:
            self._resting = asyncio.get_running_loop().call_later(self._idle, life.end_if_unused)


class _Life(asyncio.Protocol):
    """One life of the child, from its start to its death."""

    _transport: asyncio.WriteTransport

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.over = False
        self._process = process
        self._ids = itertools.count(1)
        self._asked: dict[int, asyncio.Future[msgspec.Raw]] = {}
        self._unread = bytearray()

    @classmethod
    async def begin(cls, module: str, arguments: tuple[str, ...]) -> "_Life":
        ours, theirs = socket.socketpair()
        with theirs:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", module, str(theirs.fileno()), str(os.getpid()), *arguments),
                stdin=asyncio.subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                env=_ENVIRONMENT,
            )
        _, life = await asyncio.get_running_loop().create_connection(lambda: cls(process), sock=ours)
        return life

    async def ask(self, question: object) -> msgspec.Raw:
        if self.over:
            raise Died
        id = next(self._ids)
        answer = self._asked[id] = asyncio.get_running_loop().create_future()
        try:
            self._transport.write(frames.question(id, question))
            return await answer
        finally:
            del self._asked[id]

    def tell(self, statement: object) -> None:
        self._transport.write(frames.statement(statement))

    def end_if_unused(self) -> None:
        if not self._asked:
            self._hang_up()

    async def end(self) -> None:
        """Hang up and wait for the child to finish what it does; one that doesn't is killed."""
        self._hang_up()
        try:
            async with asyncio.timeout(_GRACE):
                await self._process.wait()
        except TimeoutError:
            self._process.kill()
            await self._process.wait()

    def _hang_up(self) -> None:
        self.over = True
        self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.WriteTransport", transport)

    def data_received(self, data: bytes) -> None:
        self._unread += data
        for frame in frames.taken(self._unread):
            self._heard(frame)

    def connection_lost(self, exc: Exception | None) -> None:
        self.over = True
        for answer in self._asked.values():
            if not answer.done():
                answer.set_exception(Died())

    def _heard(self, frame: frames.Frame) -> None:
        answer = self._asked.get(frame.id)
        if answer is None or answer.done():
            return
        if frame.error is None:
            answer.set_result(frame.body)
        else:
            answer.set_exception(RuntimeError(frame.error))
