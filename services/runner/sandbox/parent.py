"""The asking side of the child process that works on what workspaces write.

The child is started when it is first needed, and anew after something that broke out of its limits.
"""

import asyncio
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from pathlib import Path

import msgspec

from libs.contracts.faults import Code, Fault
from services.runner import sandbox

DEADLINE = 5.0
MOST_WAITING = 64
_ROOT = Path(__file__).parents[3]
_answers = msgspec.msgpack.Decoder(sandbox.Answered)


class Child:
    def __init__(self) -> None:
        self._child: Process | None = None
        self._turn = asyncio.Lock()
        self._waiting = 0

    async def ask(self, asked: sandbox.Asked) -> sandbox.Answered:
        """Raises Fault UNAVAILABLE where too many wait."""
        if self._waiting >= MOST_WAITING:
            raise Fault(
                Code.UNAVAILABLE, "Too many templates and schemas are being worked on: try again.", retry_after=1
            )
        self._waiting += 1
        try:
            async with self._turn:
                return await self._exchange(msgspec.msgpack.encode(asked))
        finally:
            self._waiting -= 1

    async def _exchange(self, body: bytes) -> sandbox.Answered:
        child = self._child
        if child is None or child.returncode is not None:
            child = await self._start()
        # Whatever breaks off an exchange leaves the pipes between two messages: such a child is of no more use.
        self._child = None
        try:
            async with asyncio.timeout(DEADLINE):
                reply = await _exchanged(child, body)
        except (TimeoutError, asyncio.IncompleteReadError, ConnectionError):
            return sandbox.Refused("it takes too long or needs too much memory")
        else:
            self._child = child
            return _answers.decode(reply)
        finally:
            if self._child is None:
                await _end(child)

    async def _start(self) -> Process:
        """The child sees nothing of this process's environment: there are secrets in it."""
        command = (sys.executable, "-m", "services.runner.sandbox")
        return await asyncio.create_subprocess_exec(
            *command, stdin=PIPE, stdout=PIPE, stderr=DEVNULL, cwd=_ROOT, env={}
        )

    async def close(self) -> None:
        if self._child is not None:
            await _end(self._child)


async def _exchanged(child: Process, body: bytes) -> bytes:
    assert child.stdin is not None
    assert child.stdout is not None
    child.stdin.write(sandbox.LENGTH.pack(len(body)) + body)
    await child.stdin.drain()
    head = await child.stdout.readexactly(sandbox.LENGTH.size)
    return await child.stdout.readexactly(sandbox.LENGTH.unpack(head)[0])


async def _end(child: Process) -> None:
    if child.returncode is None:
        child.kill()
    await child.wait()
