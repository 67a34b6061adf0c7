"""Running runs: each is a task that this process owns from its acceptance to its recorded end."""

import asyncio
import logging
import time
from contextvars import Context

from libs.contracts.faults import Code, Failure, Fault
from libs.contracts.runs import Mode, Run, Status
from libs.runtime import logs
from services.runner.ending import Ending
from services.runner.generation import Generation
from services.runner.holding import Holding
from services.runner.live import Live

log = logging.getLogger(__name__)

# What runs may still take from the beginning of a stop on, and then what their ends may.
_GRACE = 9.5
_LAST = 3.0
_RESTARTED = Failure(Code.UNAVAILABLE, "The engine was restarted before the run had ended: start it again.", None, 1.0)


class Running:
    def __init__(self, holding: Holding, generation: Generation, ending: Ending) -> None:
        self._holding, self._generation, self._ending = holding, generation, ending
        self._stopping_since: float | None = None

    def begin(self, live: Live) -> None:
        """Takes over the slot that was taken for it."""
        # A context of its own: the run owes nothing to the deadline of whoever asked for it.
        task = asyncio.get_running_loop().create_task(self._run(live), context=Context())
        self._holding.hold(live, task)
        live.ended.add_done_callback(_heard)

    async def _run(self, live: Live) -> None:
        # From here on: a task that is cancelled before its first step takes none, and would end nothing.
        live.task = asyncio.current_task()
        logs.run_id.set(str(live.id))
        logs.workspace_id.set(str(live.workspace_id))
        try:
            live.ended.set_result(await self._ending.end(live, await self._generation.outcome(live)))
        except Fault as fault:
            live.ended.set_exception(fault)
        finally:
            if not live.ended.done():
                live.ended.set_exception(Fault.of(_RESTARTED))
            self._holding.let_go(live)

    async def watch(self, stopping: asyncio.Event) -> None:
        """Runs may already be ending while accepted requests are finished: that counts."""
        await stopping.wait()
        self._stopping_since = time.monotonic()

    async def stop(self) -> None:
        """Lets runs end for some seconds; those that don't end as failed, with what they have said. Whom nobody waits
        for waits for another process.
        """
        gone = time.monotonic() - self._stopping_since if self._stopping_since else 0.0
        if not await self._holding.finish(max(0.0, _GRACE - gone)):
            for live in self._holding:
                live.stop(_left(live), _RESTARTED)
            await self._holding.finish(_LAST)
        await self._ending.drain()


def _left(live: Live) -> Status:
    return Status.QUEUED if live.accepted.request.mode is Mode.ASYNC else Status.FAILED


def _heard(ended: "asyncio.Future[Run]") -> None:
    """Nobody need be waiting for a run that could not be recorded."""
    if not ended.cancelled():
        ended.exception()
