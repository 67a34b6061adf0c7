"""Claims: taking asynchronous runs from the queue while there is room for them, and beginning them.

A nudge wakes the runners when a run begins to wait; a look every second is the net under it.
"""

import asyncio
import logging

import msgspec

from libs.contracts import feed, runs
from libs.contracts.faults import Code, Fault
from libs.postgres.database import Database
from libs.runtime.foundation import Service
from libs.runtime.tasks import Tasks
from services.runner.runs.acceptance import Acceptance
from services.runner.runs.backlog import Backlog
from services.runner.runs.fence import Fence
from services.runner.runs.holding import Holding
from services.runner.runs.live import Live
from services.runner.runs.running import Running
from services.runner.runs.settling import Settling
from services.runner.store import orphans
from services.runner.store.queue import Claimed, Queue

log = logging.getLogger(__name__)

TOPIC = "runner.queue"
_POLL = 1.0
_PAUSE = 0.005
_AGAIN = 0.25
_STOP_SECONDS = 2.0
_requests = msgspec.msgpack.Decoder(runs.StartRun)


class Beginning:
    """Begins what was claimed, each run in a task of its own until it is held."""

    def __init__(
        self, database: Database, acceptance: Acceptance, holding: Holding, running: Running, *, settling: Settling
    ) -> None:
        self._database, self._acceptance, self._holding, self._running = database, acceptance, holding, running
        self._settling, self._tasks = settling, Tasks()

    def begin(self, claimed: Claimed, fence: Fence) -> None:
        """Takes a slot for it."""
        self._holding.coming.add(claimed.id)
        self._holding.occupy_slot()
        self._tasks.start(self._begin(claimed, fence, fence.tenure))

    async def stop(self) -> None:
        """What can't begin any more is found without a holder, and begins elsewhere."""
        try:
            await asyncio.wait_for(self._tasks.finish(), _STOP_SECONDS)
        except TimeoutError:
            await self._tasks.cancel()

    async def _begin(self, claimed: Claimed, fence: Fence, tenure: float | None) -> None:
        begun = False
        try:
            live = await self._live(claimed)
            if live is not None and fence.tenure == tenure:
                self._running.begin(live)
                begun = True
        finally:
            self._holding.coming.discard(claimed.id)
            if not begun:
                self._holding.free_slot()

    async def _live(self, claimed: Claimed) -> Live | None:
        """None for a run that has ended with what it can't begin for."""
        while True:
            try:
                accepted = await self._acceptance.accept(_requests.decode(claimed.request))
            except Fault as fault:
                if fault.code is not Code.UNAVAILABLE:
                    await self._refuse(claimed, fault)
                    return None
            else:
                live = Live.of(accepted, attempt=claimed.attempt, created_at=claimed.created_at)
                if claimed.attempt > 1:
                    live.recording.add(feed.Restarted())
                return live
            await asyncio.sleep(_AGAIN)

    async def _refuse(self, claimed: Claimed, fault: Fault) -> None:
        """What it needs was deleted since it was accepted."""
        orphan = await orphans.get(self._database, claimed.id)
        if orphan is not None:
            await self._settling.end(orphan, fault.failure())


class Claims:
    """Once the process is to stop, nothing more is claimed. `backlog` is what may wait."""

    def __init__(
        self,
        service: Service,
        holding: Holding,
        fence: Fence,
        beginning: Beginning,
        *,
        queue: Queue,
        backlog: Backlog,
    ) -> None:
        self._bus, self._stopping = service.bus, service.stopping
        self._holding, self._fence, self._beginning, self._queue = holding, fence, beginning, queue
        self.backlog = backlog
        self._woken = asyncio.Event()
        self._turn = asyncio.Lock()
        self._waiting = self._new = self._listening = False
        holding.on_room = self._has_room

    def wake(self) -> None:
        self._woken.set()

    def offer(self) -> None:
        """A run waits now: others are told of it when it goes on waiting."""
        self._new = True
        self._woken.set()

    async def tell(self) -> None:
        """Wakes all runners."""
        await self._bus.nudge(TOPIC)

    async def stop(self) -> None:
        """Returns once what was claimed has begun, or is given up."""
        async with self._turn:
            await self._beginning.stop()

    async def run(self) -> None:
        """Claim for ever."""
        if not self._listening:
            await self._bus.on_nudge(TOPIC, self.wake)
            self._listening = True
        while True:
            await self._rest()
            self._woken.clear()
            async with self._turn:
                await self._claim()
            if self._new and self._waiting:
                await self.tell()
            self._new = False

    async def _rest(self) -> None:
        await asyncio.sleep(_PAUSE)
        try:
            async with asyncio.timeout(_POLL):
                await self._woken.wait()
        except TimeoutError:
            return

    def _has_room(self) -> None:
        if self._waiting:
            self._woken.set()

    async def _claim(self) -> None:
        room = self._holding.room
        if self._stopping.is_set() or not self._fence.open:
            return
        if not room:
            self._waiting = True
            return
        claimed, self._waiting = await self._queue.claim(self._fence.holder, room=room)
        for each in claimed:
            self._beginning.begin(each, self._fence)
        if claimed:
            self._woken.set()
