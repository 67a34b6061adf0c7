"""The dispatcher: claims what is due, attempts it, many at once and few to one endpoint, and settles what came of it.

Owner: webhook_dispatcher; any number of its processes share one queue. No query is made per delivery: claims and
settlements go in batches, and no connection is held while a receiver is waited for.
"""

import asyncio
import logging
import math
import time
from collections.abc import Awaitable, Callable
from uuid import UUID

from msgspec import Struct, structs

from libs.contracts.faults import Code, Fault
from libs.postgres.database import Database
from libs.postgres.group_commit import GroupCommit
from services.webhook_dispatcher import metrics
from services.webhook_dispatcher.heard import Heard
from services.webhook_dispatcher.in_order import InOrder
from services.webhook_dispatcher.line import Line
from services.webhook_dispatcher.outcome import Outcome
from services.webhook_dispatcher.room import HANGS_SECONDS, Limits, Place, Room
from services.webhook_dispatcher.settling import settle
from services.webhook_dispatcher.store import claims, endpoints, queue
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
_MOST_TRUSTED = 512
# So many may be in doubt of what one claim takes.
_BATCHES = 4
# Between two that begin in a line: at endpoints in doubt, and at those that fail, which are known to.
_GAPS = {False: 0.01, True: 0.02}


class Open(Struct):
    """An attempt, and since when it is under way by the monotonic clock: not while it waits for its turn, nor later.

    `others` are those of its workspace that were not answered when it came; `told` once its endpoint counts as failing
    because it hangs.
    """

    place: Place
    others: int
    since: float = math.inf
    told: bool = False


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
        self._lines = {slow: Line(gap, most=limits.line, spare=2 * limits.batch) for slow, gap in _GAPS.items()}
        self.in_order = InOrder(database, self._most_doubtful, self._begin, heard=heard, seconds=seconds)
        self._settling = GroupCommit(database, settle)
        self._open: dict[asyncio.Task[None], Open] = {}
        self._woken = asyncio.Event()
        self._behind = self._crowded = self._skipped = False
        self._turn_at = 0.0
        self._closing = False

    def wake(self) -> None:
        self._woken.set()
        self.in_order.wake()

    async def run(self) -> None:
        """Until `drain`. Woken when something was queued, and once a second for what has become due meanwhile."""
        while not self._closing:
            # What comes free during a claim is not known to it.
            self._behind = self._short()
            more = await self._claim_quick()
            self._behind |= more or self._short()
            if not more or self._free() <= 0:
                await self._rest()

    async def run_aside(self) -> None:
        """Until `drain`: the lane of endpoints that fail, and what has waited for its next attempt."""
        while not self._closing:
            self._tell_hanging_apart()
            await self._tell_of_hanging()
            await queue.ripen(self._database)
            await self._claim_slow()
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
        """Where more is due than may begin, whoever has answered just now comes first. Whether there may be more."""
        more = await self._claim_trusted() if self._crowded else False
        began, most = time.monotonic(), self._most_doubtful()
        self._skipped = self._crowded and began < self._turn_at
        if self._skipped:
            return more
        full = {*self._room.full(), *self._lines[False].full()}
        self._crowded = not most or bool(full)
        if not most:
            return more
        asked = Asked(slow=False, most=most, seconds=self._seconds)
        batch = await claims.in_turn(self._database, self._room, self._turns[False], asked, full=full)
        # In a crowd most of the time is for those that have answered.
        self._turn_at = time.monotonic() + 2 * (time.monotonic() - began)
        self._crowded |= batch.more and bool(batch.claimed)
        return self._begin_all(batch) or more

    async def _claim_trusted(self) -> bool:
        """All but a batch of the room that is free."""
        trusted, most = self._room.trusted()[:_MOST_TRUSTED], self._free() - self._room.limits.batch
        if not trusted or most <= 0:
            return False
        asked = Asked(slow=False, most=most, seconds=self._seconds)
        return self._begin_all(await claims.among(self._database, self._room, trusted, asked))

    def _most_doubtful(self) -> int:
        """For one claim: whoever comes next finds as much room, and a few batches keep the process for long enough."""
        free, batch = min(self._free(), self._room.free_doubtful, self._lines[False].free), self._room.limits.batch
        return min((free + 1) // 2, _BATCHES * batch) if free >= batch else 0

    def _free(self) -> int:
        return 0 if self._lags() else self._room.free(slow=False)

    def _makes_room(self, place: Place) -> bool:
        """Whether something that waits may be claimed, now that this one is free."""
        if place.doubtful and self._crowded and self._lines[False].short:
            return True
        return self._behind and self._room.wide(place)

    def _short(self) -> bool:
        return self._room.short() or self._lags()

    def _lags(self) -> bool:
        """Whether the database is slower than the receivers."""
        return self._unsettled > self._room.limits.slots

    async def _claim_slow(self) -> None:
        most = self._room.free(slow=True)
        if most > 0:
            asked = Asked(slow=True, most=most, seconds=self._seconds)
            self._begin_all(await claims.in_turn(self._database, self._room, self._turns[True], asked))

    def _begin_all(self, batch: Batch) -> bool:
        for claimed in batch.claimed:
            self._begin(claimed)
        self._behind |= self._short()
        return batch.more

    def _tell_hanging_apart(self) -> None:
        """Attempts that are not answered in time make room for others."""
        late = time.monotonic() - HANGS_SECONDS
        for attempt in self._open.values():
            if attempt.since <= late and not attempt.place.slow:
                self._room.give_back(attempt.place)
                attempt.place = structs.replace(attempt.place, slow=True, doubtful=False)
                self._room.take(attempt.place)
                self._room.hangs(attempt.place.endpoint_id)
                self._woken.set()

    async def _tell_of_hanging(self) -> None:
        """While many hang, what waits for those changes to the lane of endpoints that fail, until they answer."""
        late = time.monotonic() - HANGS_SECONDS
        news = [each for each in self._open.values() if each.since <= late and not each.told]
        if news and self._room.many_hang:
            ids = {each.place.endpoint_id for each in news}
            async with self._database.transaction() as connection:
                await endpoints.fails(connection, ids)
            for each in news:
                each.told = True
            await self._take_back({id for id in ids if self._room.trusts(id)})

    async def _take_back(self, answered: set[UUID]) -> None:
        """What came of these may have been written down just before they were told of."""
        if answered:
            async with self._database.transaction() as connection:
                await queue.quicken(connection, await endpoints.answers(connection, answered))
            self._woken.set()

    async def _rest(self) -> None:
        """Not at all, where it was woken since the last time: the claims of a round do not look back."""
        seconds = max(0.0, self._turn_at - time.monotonic()) if self._skipped else _POLL_SECONDS
        try:
            async with asyncio.timeout(seconds):
                await self._woken.wait()
        except TimeoutError:
            pass
        self._woken.clear()

    def _begin(self, claimed: Claimed) -> None:
        place = _place(claimed)
        if not place.slow and not self._room.trusts(place.endpoint_id):
            place = structs.replace(place, doubtful=True)
        opened = Open(place, self._room.unanswered(place.workspace_id))
        task = asyncio.get_running_loop().create_task(self._deliver(claimed, opened))
        self._room.take(place)
        self._open[task] = opened
        task.add_done_callback(lambda ended: self._end(ended, claimed))

    async def _deliver(self, claimed: Claimed, opened: Open) -> None:
        try:
            outcome = await self._in_turn(claimed, opened)
        finally:
            self._leave(opened)
        self._room.saw(_place(claimed), delivered=outcome.delivered)
        # Others are sent meanwhile, while what came of this one is written down.
        if self._makes_room(opened.place):
            self._woken.set()
        _tell(claimed, outcome)
        await self._settle(outcome)

    async def _in_turn(self, claimed: Claimed, opened: Open) -> Outcome:
        """Whoever has answered just now waits for nobody."""
        if not (opened.place.slow or opened.place.doubtful):
            return await self._make(claimed, opened)
        line = self._lines[opened.place.slow]
        await line.turn(claimed.workspace_id, others=opened.others)
        if self._crowded and line.half:
            self._woken.set()
        outcome = await self._make(claimed, opened)
        # Many that hung fail together, and hold up nobody who comes later.
        if time.monotonic() - opened.since < HANGS_SECONDS:
            line.saw(claimed.workspace_id, delivered=outcome.delivered)
        return outcome

    async def _make(self, claimed: Claimed, opened: Open) -> Outcome:
        opened.since = time.monotonic()
        return await self._attempt(claimed)

    def _leave(self, opened: Open) -> None:
        opened.since = math.inf
        self._room.give_back(opened.place)

    async def _settle(self, outcome: Outcome) -> None:
        """However long the database is away."""
        while True:
            try:
                return await self._settling.add(outcome)
            except Fault as fault:
                if fault.code is not Code.UNAVAILABLE:
                    raise
            await asyncio.sleep(_AWAY_SECONDS)

    def _end(self, task: asyncio.Task[None], claimed: Claimed) -> None:
        del self._open[task]
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("An attempt failed on our side", exc_info=error, extra={"delivery": claimed.id})
        if claimed.ordered:
            self.in_order.wake()
        if self._behind and self._unsettled == self._room.limits.slots // 2:
            self._woken.set()

    @property
    def _unsettled(self) -> int:
        """Attempts that were made, and are not written down yet."""
        return len(self._open) - self._room.endpoints.total()


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
