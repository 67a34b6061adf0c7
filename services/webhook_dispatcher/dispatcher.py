"""The dispatcher: claims what is due, attempts it, many at once and few to one endpoint, and settles what came of it.

Owner: webhook_dispatcher; any number of its processes share one queue. No query is made per delivery: claims and
settlements go in batches, and no connection is held while a receiver is waited for.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable

from msgspec import Struct, structs

from libs.contracts.faults import Code, Fault
from libs.postgres.database import Database
from libs.postgres.group_commit import GroupCommit
from services.webhook_dispatcher import metrics
from services.webhook_dispatcher.heard import Heard
from services.webhook_dispatcher.in_order import InOrder
from services.webhook_dispatcher.outcome import Outcome
from services.webhook_dispatcher.room import HANGS_SECONDS, Limits, Place, Room
from services.webhook_dispatcher.settling import settle
from services.webhook_dispatcher.store import claims, queue
from services.webhook_dispatcher.store.claims import Asked, Batch, Claimed
from services.webhook_dispatcher.turns import Turns

log = logging.getLogger(__name__)

_POLL_SECONDS = 1.0
RELEASE_SECONDS = 2.0
# So many rounds between two looks through the lane of those that fail, while nothing is found there.
_RESTS = 5
_ASIDE_SECONDS = 0.2
_AWAY_SECONDS = 1.0
_WIDTH = 64


class Open(Struct):
    """An attempt under way, and since when by the monotonic clock."""

    place: Place
    since: float


class Dispatcher:
    """As many attempts at once as there is room for, of `seconds` at most."""

    def __init__(
        self,
        database: Database,
        attempt: Callable[[Claimed], Awaitable[Outcome]],
        *,
        limits: Limits,
        heard: Heard,
        seconds: float,
    ) -> None:
        self._database, self._attempt, self._seconds = database, attempt, seconds
        self._room = Room(limits)
        self._turns = {False: Turns(_WIDTH), True: Turns(_WIDTH)}
        self.in_order = InOrder(database, self._room, self._begin, heard=heard, seconds=seconds)
        self._settling = GroupCommit(database, settle)
        self._open: dict[asyncio.Task[None], Open] = {}
        self._woken = asyncio.Event()
        self._behind = False
        self._closing = False

    def wake(self) -> None:
        self._woken.set()
        self.in_order.wake()

    async def run(self) -> None:
        """Until `drain`. Woken when something was queued, and once a second for what has become due meanwhile."""
        while not self._closing:
            self._woken.clear()
            more = await self._claim_quick()
            self._behind = more or self._room.short()
            if not more or self._room.free(slow=False) <= 0:
                await self._rest()

    async def run_aside(self) -> None:
        """Until `drain`: the lane of endpoints that fail, and what has waited for its next attempt."""
        while not self._closing:
            self._tell_hanging_apart()
            await queue.ripen(self._database)
            await self._claim(slow=True, most=self._room.free(slow=True))
            await asyncio.sleep(_ASIDE_SECONDS)

    async def release(self) -> None:
        """Give back, for ever, what processes claimed that are no more, and what waits for those that answer again."""
        rests = 0
        while True:
            released = await queue.release(self._database)
            moved = rests == 0 and await queue.quicken_all(self._database)
            if released or moved:
                self.wake()
            rests = 0 if moved else (rests + 1) % _RESTS
            await asyncio.sleep(RELEASE_SECONDS)

    async def drain(self) -> None:
        """Claim nothing more, and let the attempts under way end. One that is cut off will be made again."""
        self._closing = True
        self._woken.set()
        self.in_order.close()
        try:
            while self._open:
                await asyncio.wait(self._open)
        finally:
            for task in self._open:
                task.cancel()

    async def _claim_quick(self) -> bool:
        """Where there is little room for endpoints in doubt, the others come first. Whether there may be more."""
        more = False
        if self._room.narrow and (trusted := self._room.trusted()) and (most := self._room.free(slow=False)) > 0:
            asked = Asked(slow=False, most=most, seconds=self._seconds)
            more = self._begin_all(await claims.among(self._database, self._room, trusted, asked))
        most = min(self._room.free(slow=False), self._room.free_doubtful)
        return await self._claim(slow=False, most=most) or more

    async def _claim(self, *, slow: bool, most: int) -> bool:
        """Begin what is due in a lane. Whether there may be more."""
        if most <= 0:
            return False
        asked = Asked(slow, most, self._seconds)
        return self._begin_all(await claims.in_turn(self._database, self._room, self._turns[slow], asked))

    def _begin_all(self, batch: Batch) -> bool:
        for claimed in batch.claimed:
            self._begin(claimed)
        return batch.more

    def _tell_hanging_apart(self) -> None:
        """Attempts that are not answered in time make room for others."""
        late = time.monotonic() - HANGS_SECONDS
        for attempt in self._open.values():
            if attempt.since > late:
                break  # they are in the order of their beginning
            if not attempt.place.slow:
                self._room.give_back(attempt.place)
                attempt.place = structs.replace(attempt.place, slow=True, doubtful=False)
                self._room.take(attempt.place)
                self._room.hangs(attempt.place.endpoint_id)
                self._woken.set()

    async def _rest(self) -> None:
        try:
            async with asyncio.timeout(_POLL_SECONDS):
                await self._woken.wait()
        except TimeoutError:
            pass

    def _begin(self, claimed: Claimed) -> None:
        place = _place(claimed)
        if not place.slow and not self._room.trusts(place.endpoint_id):
            place = structs.replace(place, doubtful=True)
        task = asyncio.get_running_loop().create_task(self._deliver(claimed))
        self._room.take(place)
        self._open[task] = Open(place, time.monotonic())
        task.add_done_callback(lambda ended: self._end(ended, claimed))

    async def _deliver(self, claimed: Claimed) -> None:
        outcome = await self._attempt(claimed)
        self._room.saw(_place(claimed), delivered=outcome.delivered)
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
        place = self._open.pop(task).place
        self._room.give_back(place)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("An attempt failed on our side", exc_info=error, extra={"delivery": claimed.id})
        if claimed.ordered:
            self.in_order.wake()
        if self._behind and self._room.wide(place):
            self._woken.set()


def _place(claimed: Claimed) -> Place:
    return Place(claimed.target.id, claimed.workspace_id, claimed.slow)


def _tell(claimed: Claimed, outcome: Outcome) -> None:
    """One line an attempt; those that arrived only where somebody wants to see them all."""
    metrics.ATTEMPTS[outcome.delivered].inc()
    level = logging.DEBUG if outcome.delivered else logging.INFO
    if not log.isEnabledFor(level):
        return
    attempt = outcome.attempt
    facts = {
        "delivery": claimed.id,
        "endpoint": claimed.target.id,
        "attempt": attempt.number,
        "status": attempt.status_code,
        "error": attempt.error,
        "latency_ms": round(attempt.latency_ms, 1),
        "retry_in": outcome.retry_in,
    }
    log.log(level, "A delivery arrived" if outcome.delivered else "A delivery failed", extra=facts)
