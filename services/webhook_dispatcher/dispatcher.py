"""The dispatcher: claims what is due, attempts it, many at once and few to one endpoint, and settles what came of it.

Owner: webhook_dispatcher; any number of its processes share one queue. No query is made per delivery: claims and
settlements go in batches, and no connection is held while a receiver is waited for.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable
from uuid import UUID

from libs.contracts.faults import Code, Fault
from libs.postgres.database import Database
from libs.postgres.group_commit import GroupCommit
from services.webhook_dispatcher import metrics
from services.webhook_dispatcher.outcome import Outcome
from services.webhook_dispatcher.settling import settle
from services.webhook_dispatcher.store import queue
from services.webhook_dispatcher.store.queue import Claimed

log = logging.getLogger(__name__)

_POLL_SECONDS = 1.0
RELEASE_SECONDS = 2.0
_AWAY_SECONDS = 1.0


class Dispatcher:
    """`slots` attempts at once, `each` of them to one endpoint at most, of `seconds` at most."""

    def __init__(
        self,
        database: Database,
        attempt: Callable[[Claimed], Awaitable[Outcome]],
        *,
        slots: int,
        each: int,
        seconds: float,
    ) -> None:
        self._database, self._attempt, self._seconds = database, attempt, seconds
        self._slots, self._each = slots, each
        self._settling = GroupCommit(database, settle)
        self._open: Counter[UUID] = Counter()
        self._tasks: set[asyncio.Task[None]] = set()
        self._woken = asyncio.Event()
        self._behind = False
        self._closing = False

    def wake(self) -> None:
        self._woken.set()

    async def run(self) -> None:
        """Until `drain`. Woken when something was queued, and once a second for what has become due meanwhile."""
        while not self._closing:
            self._woken.clear()
            free = self._slots - len(self._tasks)
            claimed = await self._claim(free) if free else []
            for delivery in claimed:
                self._begin(delivery)
            self._behind = len(claimed) == free or self._at_most_of_any()
            if not free or len(claimed) < free:
                await self._rest()

    async def release(self) -> None:
        """Give back, for ever, what processes claimed that are no more."""
        while True:
            if await queue.release(self._database):
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

    async def _claim(self, free: int) -> list[Claimed]:
        return await queue.claim(self._database, limit=free, each=self._each, busy=self._open, seconds=self._seconds)

    def _at_most_of_any(self) -> bool:
        return any(open >= self._each for open in self._open.values())

    async def _rest(self) -> None:
        try:
            async with asyncio.timeout(_POLL_SECONDS):
                await self._woken.wait()
        except TimeoutError:
            pass

    def _begin(self, claimed: Claimed) -> None:
        task = asyncio.get_running_loop().create_task(self._deliver(claimed))
        self._open[claimed.endpoint_id] += 1
        self._tasks.add(task)
        task.add_done_callback(lambda ended: self._end(ended, claimed))

    async def _deliver(self, claimed: Claimed) -> None:
        outcome = await self._attempt(claimed)
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
        self._close(claimed.endpoint_id)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("An attempt failed on our side", exc_info=error, extra={"delivery": claimed.id})
        if self._behind and self._has_room_again(claimed.endpoint_id):
            self.wake()

    def _close(self, endpoint_id: UUID) -> None:
        self._open[endpoint_id] -= 1
        if not self._open[endpoint_id]:
            del self._open[endpoint_id]

    def _has_room_again(self, endpoint_id: UUID) -> bool:
        """Room for a batch: claiming for every slot that comes free would cost a query each."""
        return len(self._tasks) <= self._slots * 3 // 4 or self._open[endpoint_id] == self._each // 2


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
