"""Stopping: the signals that ask for it, and the seconds it may take.

A process asked to stop is gone within 30 s whatever hangs: each step may use half of the seconds left, and a watchdog
outside the event loop ends the process when even that does not help. A second signal ends it at once.
"""

import asyncio
import logging
import os
import signal
import threading
from collections.abc import Coroutine
from types import FrameType

log = logging.getLogger(__name__)

SECONDS = 26.0
_WATCHDOG_SECONDS = 29.0
_LAST_WORD_SECONDS = 0.3


class Signals:
    """SIGTERM and SIGINT set `stopping`; handled by the interpreter, so that a busy event loop can't delay the watchdog."""

    def __init__(self) -> None:
        self.stopping = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._asked = False
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._received)

    def _received(self, number: int, _: FrameType | None) -> None:
        if self._asked:
            os._exit(128 + number)
        self._asked = True
        watchdog = threading.Timer(_WATCHDOG_SECONDS, _give_up)
        watchdog.daemon = True
        watchdog.start()
        self._loop.call_soon_threadsafe(self.stopping.set)


def _give_up() -> None:
    log.error("The service did not stop in time and is ended")
    os._exit(0)


class Budget:
    """The seconds left for stopping. A step may use half of them, so that those after it get their turn."""

    def __init__(self, seconds: float = SECONDS) -> None:
        self._seconds = seconds
        self._ends: float | None = None

    def begin(self) -> None:
        self._ends = asyncio.get_running_loop().time() + self._seconds

    async def spend(self, step: str, work: Coroutine[None, None, object]) -> None:
        """Run one step. Whatever it does, the next one follows: a failure is logged, a step that hangs is left behind."""
        loop = asyncio.get_running_loop()
        task = loop.create_task(work)
        left = max(0.0, (self._ends or loop.time() + self._seconds) - loop.time())
        await asyncio.wait({task}, timeout=left / 2)
        if not task.done():
            log.warning("A step of the stop took too long", extra={"step": step, "seconds": round(left / 2, 1)})
            task.cancel()
            await asyncio.wait({task}, timeout=_LAST_WORD_SECONDS)
        elif not task.cancelled() and (error := task.exception()) is not None:
            log.error("A step of the stop failed", exc_info=error, extra={"step": step})
