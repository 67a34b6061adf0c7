"""Running runs: each is a task that this process owns from its acceptance to its recorded end."""

import asyncio
import logging
from contextvars import Context

from libs.contracts.faults import Code, Failure, Fault
from libs.contracts.runs import Mode, Run, Status
from libs.runtime import logs
from services.runner.runs.ending import Ending
from services.runner.runs.generation import Generation
from services.runner.runs.holding import Holding
from services.runner.runs.lingering import Lingering
from services.runner.runs.live import Live

log = logging.getLogger(__name__)

# Of the seconds for accepted work, those in which runs that are stopped are recorded and those who wait are told.
_ENDING_SECONDS = 1.8
_RESTARTED = Failure(Code.UNAVAILABLE, "The engine was restarted before the run had ended: start it again.", None, 1.0)


class Running:
    def __init__(self, holding: Holding, generation: Generation, ending: Ending, lingering: Lingering) -> None:
        self._holding, self._generation, self._ending, self._lingering = holding, generation, ending, lingering

    def begin(self, live: Live) -> None:
        """Takes over the slot that was taken for it."""
        # A context of its own: the run owes nothing to the deadline of whoever asked for it.
        task = asyncio.get_running_loop().create_task(self._run(live), context=Context())
        self._holding.hold(live, task)
        self._lingering.begin(live)
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

    async def end_in_time(self, stopping: asyncio.Event, seconds: float) -> None:
        """Once the process is `stopping`, lets runs end for most of `seconds`; those that don't end as failed, with
        what they have said. Whom nobody waits for waits for another process.
        """
        await stopping.wait()
        if not await self._holding.finish(max(0.0, seconds - _ENDING_SECONDS)):
            for live in self._holding:
                live.stop(_left(live), _RESTARTED)

    async def stop(self) -> None:
        """Returns once every run has ended, be it in its own time."""
        await self._holding.finish()
        await self._ending.drain()


def _left(live: Live) -> Status:
    return Status.QUEUED if live.accepted.request.mode is Mode.ASYNC else Status.FAILED


def _heard(ended: "asyncio.Future[Run]") -> None:
    """Nobody need be waiting for a run that could not be recorded."""
    if not ended.cancelled():
        ended.exception()
