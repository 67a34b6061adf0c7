"""Starting and stopping runs: what `rpc.runner.runs.*` answers, but for reading.

The rule: the same id asked for again answers with the same run, whether it is here, elsewhere, or over.
"""

import asyncio
import time
from uuid import UUID

from libs.contracts import runs
from libs.contracts.faults import Code, Fault, not_found
from libs.contracts.runs import GetRun, Mode, Run, StartRun, Status
from libs.runtime.foundation import Service
from services.runner.runs.acceptance import Acceptance
from services.runner.runs.claims import Claims
from services.runner.runs.fence import Fence
from services.runner.runs.holding import Holding
from services.runner.runs.journal import Journal
from services.runner.runs.live import Live
from services.runner.runs.reading import Reading, age
from services.runner.runs.running import Running
from services.runner.runs.settling import Settling
from services.runner.store import orphans

_STOP_SECONDS = 10.0
# The first asking comes at once. What comes later, or from a clock that is off, may be a second one.
_FIRST_ASKING = 1.0
_LOOK_AGAIN = 0.2


class Starting:
    def __init__(
        self,
        acceptance: Acceptance,
        holding: Holding,
        journal: Journal,
        running: Running,
        *,
        reading: Reading,
        fence: Fence,
        claims: Claims,
    ) -> None:
        self._acceptance, self._holding, self._journal, self._running = acceptance, holding, journal, running
        self._reading, self._fence, self._claims = reading, fence, claims

    async def start(self, request: StartRun) -> Run:
        """The finished run where the mode is blocking, else the run as it was accepted.

        Raises Fault where it was not: NOT_FOUND, INVALID, UNAVAILABLE without a free slot, CONFLICT for an id of
        another workspace's.
        """
        if self._may_be_known(request.run_id) and (known := await self._known(request)):
            return known
        if request.mode is Mode.ASYNC:
            return await self._wait(request)  # from a gateway of an older version
        live = self._holding.get(request.run_id) or await self._begin(request)
        if live is None:
            return await self._known(request) or await self._reading.get(GetRun(request.workspace_id, request.run_id))
        return await self._answer(live, request)

    async def enqueue(self, request: StartRun) -> Run:
        """The run as it was accepted: committed, to begin when there is room for it. It needs no slot.

        Raises Fault as `start` does, but RATE_LIMITED where too many of the workspace's runs wait.
        """
        if self._may_be_known(request.run_id) and (known := await self._known(request)):
            return known
        return await self._wait(request)

    def _may_be_known(self, run_id: UUID) -> bool:
        return abs(age(run_id)) > _FIRST_ASKING or self._holding.has_ended(run_id)

    async def _begin(self, request: StartRun) -> Live | None:
        """None where another runner has begun it."""
        self._fence.must_be_open()
        self._holding.take_slot()
        begun = False
        try:
            live = Live.of(await self._acceptance.accept(request))
            if request.durable and not await self._journal.accept(live):
                return None
            self._fence.must_be_open()
            if (same := self._holding.get(live.id)) is not None:
                return same
            begun = True
        finally:
            if not begun:
                self._holding.free_slot()
        self._running.begin(live)
        self._journal.begin(live)
        return live

    async def _wait(self, request: StartRun) -> Run:
        try:
            await self._claims.backlog.add(request.workspace_id)
        except Fault:
            if known := await self._known(request):
                return known
            raise
        run = await self._journal.put_in_queue(Live.of(await self._acceptance.accept(request)))
        if run is None:
            return await self._known(request) or await self._reading.get(GetRun(request.workspace_id, request.run_id))
        self._claims.offer()
        return run

    async def _answer(self, live: Live, request: StartRun) -> Run:
        if live.workspace_id != request.workspace_id:
            raise Fault(Code.CONFLICT, f"There is another run of the id {live.id}.")
        live.followed_by(request.follower)
        if request.mode is Mode.BLOCKING:
            return await asyncio.shield(live.ended)
        return self._reading.of(live)

    async def _known(self, request: StartRun) -> Run | None:
        """The run as it was started before; a blocking caller waits until it has ended."""
        while (kept := await self._reading.stored(request.run_id)) is not None:
            if kept.workspace_id != request.workspace_id:
                raise Fault(Code.CONFLICT, f"There is another run of the id {request.run_id}.")
            if kept.status in runs.ENDED or request.mode is not Mode.BLOCKING:
                return kept
            await asyncio.sleep(_LOOK_AGAIN)
        return None


class Stopping:
    def __init__(self, service: Service, holding: Holding, reading: Reading, settling: Settling) -> None:
        self._bus, self._database = service.bus, service.database
        self._holding, self._reading, self._settling = holding, reading, settling

    async def stop(self, asked: GetRun) -> Run:
        """Ends a run of this instance's. Raises Fault NOT_FOUND where it holds no such run."""
        live = self._holding.get(asked.run_id)
        if live is None or live.workspace_id != asked.workspace_id:
            raise not_found("run", asked.run_id)
        live.stop(Status.CANCELLED)
        return await asyncio.shield(live.ended)

    async def cancel(self, asked: GetRun) -> Run:
        """Ends a run, whoever holds it; one that has ended stays as it is.

        Raises Fault NOT_FOUND, and UNAVAILABLE where the holder does not answer.
        """
        until = time.monotonic() + _STOP_SECONDS
        while time.monotonic() < until:
            if (run := await self._cancelled(asked)) is not None:
                return run
            await asyncio.sleep(_LOOK_AGAIN)
        raise Fault(Code.UNAVAILABLE, "The run is being taken over by another process: try again.", retry_after=1)

    async def _cancelled(self, asked: GetRun) -> Run | None:
        """None where it has passed on meanwhile, and is to be looked for again."""
        if self._holding.get(asked.run_id) is not None:
            return await self.stop(asked)
        run = await self._reading.get(asked)
        if run.status in runs.ENDED:
            return run
        if run.status is Status.QUEUED:
            return await self._cancel_waiting(asked)
        try:
            return await self._bus.call(runs.STOP, asked, timeout=_STOP_SECONDS, to=run.holder)
        except Fault as fault:
            if fault.code is not Code.NOT_FOUND:
                raise
        return None

    async def _cancel_waiting(self, asked: GetRun) -> Run | None:
        orphan = await orphans.get(self._database, asked.run_id)
        if orphan is None or orphan.run.status is not Status.QUEUED or not await self._settling.end(orphan, None):
            return None
        return await self._reading.get(asked)
