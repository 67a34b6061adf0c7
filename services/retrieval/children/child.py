"""A child process, as the service sees it: asked questions in any number at once, answered in any order.

Owner: the one object that calls it. A child starts on first use, again after its death, and dies with its parent; it
inherits no secret of the service.
"""

import asyncio
import contextlib
import itertools
import os
import socket
import sys
from pathlib import Path

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


class _Life:
    """One life of the child, from its start to its death."""

    def __init__(
        self, process: asyncio.subprocess.Process, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.over = False
        self._process, self._reader, self._writer = process, reader, writer
        self._ids = itertools.count(1)
        self._asked: dict[int, asyncio.Future[msgspec.Raw]] = {}
        self._listening = asyncio.create_task(self._listen())

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
        return cls(process, *await asyncio.open_connection(sock=ours))

    async def ask(self, question: object) -> msgspec.Raw:
        if self.over:
            raise Died
        id = next(self._ids)
        answer = self._asked[id] = asyncio.get_running_loop().create_future()
        try:
            self._writer.write(frames.question(id, question))
            return await answer
        finally:
            del self._asked[id]

    def end_if_unused(self) -> None:
        if not self._asked:
            self.over = True
            self._writer.close()

    async def end(self) -> None:
        """Hang up and wait for the child to finish what it does; one that doesn't is killed."""
        self.over = True
        self._writer.close()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(asyncio.shield(self._listening), _GRACE)
        if self._process.returncode is None:
            self._process.kill()
        await self._listening

    async def _listen(self) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                (length,) = frames.LENGTH.unpack(await self._reader.readexactly(frames.LENGTH.size))
                self._heard(frames.unpack(await self._reader.readexactly(length)))
        self.over = True
        for answer in self._asked.values():
            if not answer.done():
                answer.set_exception(Died())
        self._writer.close()
        await self._process.wait()

    def _heard(self, frame: frames.Frame) -> None:
        answer = self._asked.get(frame.id)
        if answer is None or answer.done():
            return
        if frame.error is None:
            answer.set_result(frame.body)
        else:
            answer.set_exception(RuntimeError(frame.error))
