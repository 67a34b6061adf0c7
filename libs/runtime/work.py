"""Owned work: what a service runs beside its answers, restarted when it fails and ended when the service stops."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

from libs.contracts.faults import Fault

log = logging.getLogger(__name__)

Work = Callable[[], Awaitable[object]]

_FIRST_DELAY = 0.2
_LONGEST_DELAY = 5.0
# Work that lasted so long was well: its next failure is a new one.
_WELL = 30.0


async def keep_up(name: str, work: Work) -> None:
    """Run `work` until it returns; where it fails, run it again, after a delay that doubles up to 5 s."""
    loop = asyncio.get_running_loop()
    delay, said = _FIRST_DELAY, ""
    while True:
        began = loop.time()
        try:
            await work()
        except Exception as error:
            if loop.time() - began > _WELL:
                delay, said = _FIRST_DELAY, ""
            if repr(error) != said:
                _say(name, error)
            said = repr(error)
        else:
            return
        await asyncio.sleep(delay)
        delay = min(delay * 2, _LONGEST_DELAY)


def _say(name: str, error: Exception) -> None:
    """A Fault is the world's state and needs one line; anything else is a bug, told with its traceback."""
    if isinstance(error, Fault):
        log.warning("Background work waits", extra={"work": name, "error": error.message})
    else:
        log.error("Background work failed and starts again", exc_info=error, extra={"work": name})


class Kept:
    """The background work of a service, each in a task of its own."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, name: str, work: Work) -> None:
        task = asyncio.get_running_loop().create_task(keep_up(name, work), name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def end(self) -> None:
        for task in self._tasks:
            task.cancel()
        while self._tasks:
            await asyncio.wait(self._tasks)


class Inside:
    """An async context manager entered and left by one task of its own, as cancel scopes and task groups demand."""

    def __init__(self, context: AbstractAsyncContextManager[Any]) -> None:
        self._context = context
        self._leave = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def enter(self) -> None:
        """Returns once it is entered; raises what entering raised."""
        entered: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._task = asyncio.get_running_loop().create_task(self._stay(entered))
        try:
            await asyncio.wait({self._task, entered}, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            self._task.cancel()
            raise
        if self._task.done():
            task, self._task = self._task, None
            task.result()

    async def leave(self) -> None:
        self._leave.set()
        if self._task is not None:
            await self._task

    async def _stay(self, entered: asyncio.Future[None]) -> None:
        async with self._context:
            entered.set_result(None)
            await self._leave.wait()
