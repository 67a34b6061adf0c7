"""The dispatcher: claims what is due, attempts it, many at once and few to one endpoint, and settles what came of it.

Owner: webhook_dispatcher; any number of its processes share one queue. No query is made per delivery: claims and
settlements go in batches, and no connection is held while a receiver is waited for.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from libs.contracts.faults import Code, Fault
from libs.postgres.database import Database
from libs.postgres.group_commit import GroupCommit
from services.webhook_dispatcher import metrics
from services.webhook_dispatcher.outcome import Outcome
from services.webhook_dispatcher.room import Limits, Place, Room
from services.webhook_dispatcher.settling import settle
from services.webhook_dispatcher.store import queue
from services.webhook_dispatcher.store.queue import Claimed

log = logging.getLogger(__name__)

_POLL_SECONDS = 1.0
RELEASE_SECONDS = 2.0
_AWAY_SECONDS = 1.0


class Dispatcher:
    """As many attempts at once as there is room for, of `seconds` at most."""

    def __init__(
        self,
        database: Database,
        attempt: Callable[[Claimed], Awaitable[Outcome]],
        *,
        limits: Limits,
        seconds: float,
    ) -> None:
        self._database, self._attempt, self._seconds = database, attempt, seconds
        self._room = Room(limits)
        self._settling = GroupCommit(database, settle)
        self._tasks: set[asyncio.Task[None]] = set()
        self._woken = asyncio.Event()
        self._behind = {False: False, True: False}
        self._closing = False

    def wake(self) -> None:
        self._woken.set()

    async def run(self) -> None:
        """Until `drain`. Woken when something was queued, and once a second for what has become due meanwhile."""
        while not self._closing:
            self._woken.clear()
            more, more_slow = await self._claim(slow=False), await self._claim(slow=True)
            self._behind = {False: more or self._room.short(), True: more_slow or self._room.free_slow <= 0}
            if not (more or more_slow) or not self._room.free:
                await self._rest()

    async def release(self) -> None:
        """Give back, for ever, what processes claimed that are no more, and what waits for those that answer again."""
        while True:
            if await queue.release(self._database) or await queue.quicken(self._database):
                self.wake()
            await asyncio.sleep(RELEASE_SECONDS)

    async def drain(self) -> None:
        """Claim nothing more, and let the attempts under way end. One that is cut off will be made again."""
        self._closing = True
        self.wake()
        try:
            while self._tasks:
                await asyncio.wait(self._tasks)
        finally:
            for task in self._tasks:
                task.cancel()

    async def _claim(self, *, slow: bool) -> bool:
        """Begin what is due in a lane. Whether there may be more."""
        free = self._room.free_slow if slow else self._room.free
        if free <= 0:
            return False
        batch = await queue.claim(self._database, self._room, slow=slow, seconds=self._seconds)
        for delivery in batch.claimed:
            self._begin(delivery)
        return len(batch.claimed) == free or batch.moved > 0

    async def _rest(self) -> None:
        try:
            async with asyncio.timeout(_POLL_SECONDS):
                await self._woken.wait()
        except TimeoutError:
            pass

    def _begin(self, claimed: Claimed) -> None:
        task = asyncio.get_running_loop().create_task(self._deliver(claimed))
        self._room.take(_place(claimed))
        self._tasks.add(task)
        task.add_done_callback(lambda ended: self._end(ended, claimed))

    async def _deliver(self, claimed: Claimed) -> None:
        outcome = await self._attempt(claimed)
        self._room.saw(claimed.endpoint_id, delivered=outcome.delivered)
        _tell(claimed, outcome)
        await self._settle(outcome)

    async def _settle(self, outcome: Outcome) -> None:
        """While the database is away the slot stays taken: nothing could be claimed for it anyway."""
        while True:
            try:
                return await self._settling.add(outcome)
            except Fault as fault:
                if fault.code is not Code.UNAVAILABLE:
                    raise
            await asyncio.sleep(_AWAY_SECONDS)

    def _end(self, task: asyncio.Task[None], claimed: Claimed) -> None:
        self._tasks.discard(task)
        self._room.give_back(_place(claimed))
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("An attempt failed on our side", exc_info=error, extra={"delivery": claimed.id})
        if self._behind[claimed.slow] and self._room.wide(_place(claimed)):
            self.wake()


def _place(claimed: Claimed) -> Place:
    return Place(claimed.endpoint_id, claimed.workspace_id, claimed.slow)


def _tell(claimed: Claimed, outcome: Outcome) -> None:
    """One line an attempt; those that arrived only where somebody wants to see them all."""
    metrics.ATTEMPTS.labels("delivered" if outcome.delivered else "failed").inc()
    attempt = outcome.attempt
    facts = {
        "delivery": claimed.id,
        "endpoint": claimed.endpoint_id,
        "attempt": attempt.number,
        "status": attempt.status_code,
        "error": attempt.error,
        "latency_ms": round(attempt.latency_ms, 1),
        "retry_in": outcome.retry_in,
    }
    if outcome.delivered:
        log.debug("A delivery arrived", extra=facts)
    else:
        log.info("A delivery failed", extra=facts)
