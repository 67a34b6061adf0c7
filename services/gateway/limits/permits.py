"""Permits: what one process may let in of a kind, taken out of the stock in blocks so that it need not ask each time.

The rule: a request waits only where the block is used up; the next one is asked for before. Where the stock is out of
reach, nothing is let in but what was taken out before.
"""

import asyncio
import time
from contextvars import Context
from uuid import UUID

from msgspec import Struct

from libs.contracts.faults import Code, Fault
from libs.contracts.limits import Kind
from services.gateway.limits import metrics, windows
from services.gateway.limits.company import Company
from services.gateway.limits.held import Held
from services.gateway.limits.stock import Stock
from services.gateway.limits.store import Asked, Key

_PATIENCE = 2.0
# So long before a window ends, whoever is in it takes the first block of the next.
_AHEAD_SECONDS = 2.0


class Standing(Struct, frozen=True):
    """How it stands with a limit after a request: whether that was let in, and how many more may be until `ends`."""

    kind: Kind
    admitted: bool
    limit: int
    remaining: int
    ends: int


class Permits:
    """`refused` are the windows in which a request was, until they are told of."""

    def __init__(self, kind: Kind, stock: Stock, company: Company) -> None:
        self.kind, self._stock, self._company = kind, stock, company
        self.refused: dict[Key, int] = {}
        self._refusals = metrics.REFUSED.labels(kind)
        self._held: dict[UUID, Held] = {}
        self._next: dict[UUID, Held] = {}

    async def take(self, workspace_id: UUID, limit: int | None) -> Standing | None:
        """One permit, where there is one. None where there is no limit: it is counted all the same.

        Raises Fault UNAVAILABLE.
        """
        held = self._of(workspace_id, limit, time.time())
        while not held.admit():
            if time.time() < held.again_at:
                return self._refuse(held, workspace_id)
            await self._fill(held, workspace_id)
            if time.time() >= held.ends:
                held = self._of(workspace_id, limit, time.time())
        if held.limit is None:
            return None
        if held.left < held.low and held.asking is None:
            self._ask(held, workspace_id)
        return Standing(self.kind, True, held.limit, held.left + held.rest, held.ends)

    def take_back(self, workspace_id: UUID, standing: Standing) -> None:
        """What was let in was refused after all, for another reason."""
        held = self._held.get(workspace_id)
        if held is not None and held.ends == standing.ends:
            held.take_back()

    def untold(self, workspace_id: UUID, begins: int) -> int:
        """What was used here of a window and is not written down yet."""
        held = self._held.get(workspace_id)
        return held.untold if held is not None and held.begins == begins else 0

    def review(self) -> list[tuple[Key, Held]]:
        """All there is, once a second: what is over is forgotten, and what lasts for long is given back."""
        now = time.time()
        for workspace_id in [each for each, held in self._next.items() if held.begins <= now]:
            self._of(workspace_id, self._next[workspace_id].limit, now)
        self._held = {workspace_id: held for workspace_id, held in self._held.items() if now < held.ends}
        for held in self._held.values():
            held.spare(self._company.size)
        self._look_ahead(now)
        return self._all()

    async def close(self) -> list[tuple[Key, Held]]:
        """All there is, with nothing left in it."""
        asking = [held.asking for _, held in self._all() if held.asking is not None]
        if asking:
            await asyncio.wait(asking, timeout=_PATIENCE)
        for _, held in self._all():
            held.give_back()
        return self._all()

    def _all(self) -> list[tuple[Key, Held]]:
        both = (self._held, self._next)
        return [((workspace_id, self.kind, held.begins), held) for some in both for workspace_id, held in some.items()]

    def _look_ahead(self, now: float) -> None:
        """Whoever goes on into the next window does not wait for the first block of it."""
        for workspace_id, held in self._held.items():
            if held.ends - now < _AHEAD_SECONDS and held.pace and held.limit and workspace_id not in self._next:
                begins, ends = windows.window(self.kind, held.ends)
                ahead = self._next[workspace_id] = Held(self.kind, begins, ends, held.limit, pace=held.pace)
                self._ask(ahead, workspace_id)

    def give_back(self, workspace_id: UUID) -> None:
        """What this process has left, because the limit may be another one now."""
        for some in (self._held, self._next):
            if (held := some.get(workspace_id)) is not None:
                held.give_back()

    def _of(self, workspace_id: UUID, limit: int | None, now: float) -> Held:
        held = self._held.get(workspace_id)
        if held is None or now >= held.ends:
            held = self._held[workspace_id] = self._begin(workspace_id, limit, now)
        if held.limit != limit:
            held.turn(limit)
        return held

    def _begin(self, workspace_id: UUID, limit: int | None, now: float) -> Held:
        begins, ends = windows.window(self.kind, now)
        ahead = self._next.pop(workspace_id, None)
        return ahead if ahead is not None and ahead.begins == begins else Held(self.kind, begins, ends, limit)

    def _refuse(self, held: Held, workspace_id: UUID) -> Standing:
        assert held.limit is not None
        self._refusals.inc()
        if not held.refused:
            held.refused = True
            self.refused[workspace_id, self.kind, held.begins] = held.limit
        return Standing(self.kind, False, held.limit, 0, held.ends)

    async def _fill(self, held: Held, workspace_id: UUID) -> None:
        """Those who wait ask together. Raises Fault UNAVAILABLE."""
        held.waiting += 1
        try:
            asking = held.asking or self._ask(held, workspace_id)
            async with asyncio.timeout(_PATIENCE):
                await asyncio.shield(asking)
        except TimeoutError:
            raise Fault(Code.UNAVAILABLE, "What is left of the limit can't be read.", retry_after=1) from None
        finally:
            held.waiting -= 1

    def _ask(self, held: Held, workspace_id: UUID) -> "asyncio.Task[None]":
        """In a task of its own, which no caller's end or deadline ends."""
        held.asking = asyncio.get_running_loop().create_task(self._more(held, workspace_id), context=Context())
        held.asking.add_done_callback(_was_told)
        return held.asking

    async def _more(self, held: Held, workspace_id: UUID) -> None:
        try:
            if back := held.returned():
                await self._stock.give_back((workspace_id, self.kind, held.begins), back)
            if held.limit is not None:
                wanted = held.wanted(self._company.size)
                given = await self._stock.take(Asked(workspace_id, self.kind, held.begins, held.limit, wanted))
                held.take(given, time.time())
        finally:
            held.asking = None  # before anybody can wait for a task that is done


def _was_told(task: "asyncio.Task[None]") -> None:
    """Of what went wrong, whoever waited."""
    if not task.cancelled():
        task.exception()
