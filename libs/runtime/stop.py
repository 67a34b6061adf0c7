"""Stopping: the signals that ask for it, and the seconds it may take.

A process asked to stop is gone within the seconds of its setting, whatever hangs. What was accepted may take most of
them to be finished; of the last few each step may use half of what is left, and a watchdog outside the event loop ends
the process when even that does not help. A second signal ends it at once.
"""

import asyncio
import logging
import os
import signal
import threading
from collections.abc import Callable, Coroutine
from types import FrameType
from typing import Any

from libs.contracts.faults import Fault

log = logging.getLogger(__name__)

SECONDS = 27.5
_LAST_SECONDS = 5.0
_GRACE_SECONDS = 1.5
_LAST_WORD_SECONDS = 0.3


class Signals:
    """SIGTERM and SIGINT set `stopping`. The interpreter handles them: a busy event loop can't delay the watchdog."""

    def __init__(self, seconds: float = SECONDS) -> None:
        self.stopping = asyncio.Event()
        self._seconds = seconds + _GRACE_SECONDS
        self._loop = asyncio.get_running_loop()
        self._asked = False
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._received)

    def _received(self, number: int, _: FrameType | None) -> None:
        if self._asked:
            os._exit(128 + number)
        self._asked = True
        watch(0, self._seconds)
        self._loop.call_soon_threadsafe(self.stopping.set)


def watch(code: int, seconds: float) -> None:
    """End the process with `code` if it is still there after so long."""
    watchdog = threading.Timer(seconds, _give_up, args=(code,))
    watchdog.daemon = True
    watchdog.start()


def _give_up(code: int) -> None:
    log.error("The service did not stop in time and is ended")
    os._exit(code)


def for_work(seconds: float) -> float:
    """Of the seconds of a stop, those in which what was accepted may be finished."""
    return seconds - min(_LAST_SECONDS, seconds / 2)


class Budget:
    """The seconds left for stopping: those for accepted work, and then half of the rest for each step."""

    def __init__(self, seconds: float = SECONDS) -> None:
        self._seconds = seconds
        self._began: float | None = None

    def begin(self) -> None:
        self._began = asyncio.get_running_loop().time()

    @property
    def share(self) -> float:
        """The seconds that the next step may take."""
        now = asyncio.get_running_loop().time()
        gone = now - (self._began or now)
        return max(for_work(self._seconds) - gone, (self._seconds - gone) / 2, 0.0)

    async def spend(self, step: str, work: Callable[[], Coroutine[Any, Any, object]]) -> None:
        """Run one step. The next one follows in any case: a failure is logged, a step that hangs is left behind."""
        seconds = self.share
        task = asyncio.get_running_loop().create_task(work())
        await asyncio.wait({task}, timeout=seconds)
        if not task.done():
            log.warning("A step of the stop took too long", extra={"step": step, "seconds": round(seconds, 1)})
            task.cancel()
            await asyncio.wait({task}, timeout=_LAST_WORD_SECONDS)
        elif not task.cancelled() and (error := task.exception()) is not None:
            _say(step, error)


def _say(step: str, error: BaseException) -> None:
    if isinstance(error, Fault):
        log.warning("A step of the stop was not possible", extra={"step": step, "error": error.message})
    else:
        log.error("A step of the stop failed", exc_info=error, extra={"step": step})
