"""A line: attempts at endpoints that have not answered just now begin one by one, and two more where one has arrived.

Owner: webhook_dispatcher, one for each lane in a process. To open a connection, and to see it fail, keeps the process
and the database busy: what a thousand dead receivers cost at once, deliveries to all others would wait for. One that
hangs costs next to nothing meanwhile, so the next does not wait for it.
"""

import asyncio
import heapq
import itertools
from collections import Counter
from typing import NamedTuple
from uuid import UUID

# So many may begin at once where none did just before, except of workspaces that stand far back.
_FEW = 4
# For each attempt that a workspace has under way already its next one stands so much further back, up to so many.
_BACK_SECONDS, _BACK_TIMES = 0.4, 4
# As many times what is left for others may be a workspace's.
_SHARE = 2


class Waiting(NamedTuple):
    """`early`: by so many seconds sooner it may begin."""

    place: float
    number: int
    early: float
    workspace_id: UUID
    turn: "asyncio.Future[None]"


class Line:
    """One begins every `seconds`; to see it fail costs as much again. At most so many should stand in it, and `spare`
    of these places are for workspaces that have few or none.
    """

    def __init__(self, seconds: float, *, most: int, spare: int) -> None:
        self._seconds, self._most, self._spare = seconds, most, spare
        self._waiting: list[Waiting] = []
        self._workspaces: Counter[UUID] = Counter()
        self._numbers = itertools.count()
        self._next = 0.0
        self._timer: asyncio.TimerHandle | None = None

    @property
    def free(self) -> int:
        """As many more may stand in it."""
        return self._most - self._workspaces.total()

    @property
    def half(self) -> bool:
        """Whether it has just become so short that a claim is worth its query."""
        return self.free == self._most // 2

    @property
    def short(self) -> bool:
        return self.free > self._most // 2

    def full(self) -> list[UUID]:
        """Workspaces that have their share of it."""
        share = _SHARE * (self.free - self._spare)
        return [id for id, waiting in self._workspaces.items() if waiting >= share]

    async def turn(self, workspace_id: UUID, *, others: int) -> None:
        """Returns when it is the caller's turn; `others` are its workspace's attempts that were not answered yet.

        Whoever comes two seconds later overtakes nobody.
        """
        loop = asyncio.get_running_loop()
        place = loop.time() + _BACK_SECONDS * min(others, _BACK_TIMES)
        early = (_FEW - 1) * self._seconds if others < _BACK_TIMES else 0.0
        one = Waiting(place, next(self._numbers), early, workspace_id, loop.create_future())
        heapq.heappush(self._waiting, one)
        self._workspaces[workspace_id] += 1
        self._go_on()
        try:
            await one.turn
        finally:
            self._workspaces[workspace_id] -= 1
            if not self._workspaces[workspace_id]:
                del self._workspaces[workspace_id]

    def saw(self, workspace_id: UUID, *, delivered: bool) -> None:
        """What came of one of that workspace's, soon after it began. Where they arrive, more and more begin."""
        if not delivered:
            self._next += self._seconds
            return
        others = (one for one in self._waiting if one.workspace_id == workspace_id and not one.turn.done())
        for one in heapq.nsmallest(2, others):
            one.turn.set_result(None)

    def _go_on(self) -> None:
        """The first begins, as far as it may, and those behind it."""
        loop = asyncio.get_running_loop()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        while self._waiting:
            first = self._waiting[0]
            if not first.turn.done():
                opens = self._next - first.early
                if loop.time() < opens:
                    self._timer = loop.call_at(opens, self._go_on)
                    return
                first.turn.set_result(None)
                self._next = max(self._next, loop.time()) + self._seconds
            heapq.heappop(self._waiting)
