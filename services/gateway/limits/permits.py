"""Permits: what one process may let in of a kind, given to it in blocks so that it need not ask for every request.

The rule: a request waits only where the block is used up; of a big limit the next one is asked for before. Where nobody
counts, the process takes its share of what was left when that was last written down, and no more of it.
"""

import asyncio
import time
from contextvars import Context
from uuid import UUID

from msgspec import Struct

from libs.contracts.faults import Fault
from libs.contracts.limits import Kind, Spent, Take
from services.gateway.limits import metrics, windows
from services.gateway.limits.asking import Asking

_ALONE_SECONDS = 1.0
_AGAIN_SECONDS = 1.0


class Standing(Struct, frozen=True):
    """How it stands with a limit after a request: whether that was let in, and how many more may be until `ends`."""

    kind: Kind
    admitted: bool
    limit: int
    remaining: int
    ends: int


class Held(Struct, eq=False):
    """What this process has of one window of a workspace.

    `left` of its permits are not used yet, `rest` are nobody's so far; below `low` more are asked for. `until`: the
    moment to look again, the window's end or sooner. Before `again_at` it is no use to ask. `shared`: its permits are a
    share that was taken while nobody counted.
    """

    begins: int
    ends: int
    limit: int | None
    until: float
    used: int = 0
    left: int = 0
    rest: int = 0
    low: int = 0
    again_at: float = 0.0
    shared: bool = False
    waiting: int = 0
    asking: "asyncio.Task[None] | None" = None
    told: tuple[int, int] = (0, 0)


class Permits:
    def __init__(self, kind: Kind, asking: Asking) -> None:
        self.kind, self._asking = kind, asking
        self._refused = metrics.REFUSED.labels(kind)
        self._held: dict[UUID, Held] = {}

    async def take(self, workspace_id: UUID, limit: int | None) -> Standing | None:
        """One permit, where there is one. None where there is no limit: it is counted all the same."""
        held = self._of(workspace_id, limit, time.time())
        if limit is None:
            held.used += 1
            return None
        if held.left < 1:
            await self._fill(held, workspace_id)
            if held.left < 1:
                self._refused.inc()
                return Standing(self.kind, False, limit, 0, held.ends)
        held.left -= 1
        held.used += 1
        if held.left < held.low and held.asking is None:
            self._more(held, workspace_id)
        return Standing(self.kind, True, limit, held.left + held.rest, held.ends)

    async def used(self, workspace_id: UUID, limit: int | None) -> int:
        """By all processes together, as far as they have told. Raises Fault UNAVAILABLE."""
        held = self._of(workspace_id, limit, time.time())
        return await self._asking.used((workspace_id, self.kind, held.begins), held.used)

    def spending(self, *, everything: bool) -> list[Spent]:
        """What was not told yet, or all there is. Windows that are over are forgotten."""
        now = time.time()
        self._held = {workspace_id: held for workspace_id, held in self._held.items() if now < held.ends}
        told: list[Spent] = []
        for workspace_id, held in self._held.items():
            spent = (held.used, 0 if held.shared else held.left)
            # What is being given is nobody's yet.
            if held.asking is None and (everything or spent != held.told):
                held.told = spent
                told.append(Spent(workspace_id, self.kind, held.begins, *spent))
        return told

    def give_back(self, workspace_id: UUID) -> None:
        """What this process has left, because the limit may be another one now."""
        held = self._held.get(workspace_id)
        if held is not None:
            held.left, held.again_at = 0, 0.0

    def _of(self, workspace_id: UUID, limit: int | None, now: float) -> Held:
        held = self._held.get(workspace_id)
        if held is not None and now < held.until and held.limit == limit:
            return held
        if held is None or now >= held.ends:
            begins, ends = windows.window(self.kind, now)
            held = self._held[workspace_id] = Held(begins, ends, limit, until=ends)
            return held
        # A share holds for a moment, and permits of another limit do not hold: they go back with the next question.
        held.left, held.shared, held.limit = 0, False, limit
        held.until, held.again_at = held.ends, 0.0
        return held

    async def _fill(self, held: Held, workspace_id: UUID) -> None:
        """Until there is a permit, or none to be had. Those who wait ask together."""
        while held.left < 1 and time.time() >= held.again_at:
            held.waiting += 1
            try:
                if held.asking is None:
                    self._more(held, workspace_id)
                if held.asking is not None:
                    await asyncio.shield(held.asking)
            finally:
                held.waiting -= 1

    def _more(self, held: Held, workspace_id: UUID) -> None:
        """Asks for more: at once where this process counts, else in a task of its own."""
        asked = self._question(held, workspace_id)
        given = self._asking.at_once(asked)
        if given is not None:
            _give(held, asked, given.permits, given.taken)
            return
        held.asking = asyncio.get_running_loop().create_task(self._ask(held, workspace_id), context=Context())
        held.asking.add_done_callback(lambda _: setattr(held, "asking", None))

    async def _ask(self, held: Held, workspace_id: UUID) -> None:
        asked = self._question(held, workspace_id)
        try:
            given = await self._asking.ask(asked)
        except Fault:
            await self._share(held, asked)
        else:
            _give(held, asked, given.permits, given.taken)

    async def _share(self, held: Held, asked: Take) -> None:
        metrics.ALONE.inc()
        share = await self._asking.share(asked)
        held.left, held.low, held.rest = max(held.left, share - held.used), 0, 0
        held.shared = True
        held.until = held.again_at = min(held.ends, time.time() + _ALONE_SECONDS)

    def _question(self, held: Held, workspace_id: UUID) -> Take:
        assert held.limit is not None
        return Take(
            workspace_id=workspace_id,
            kind=self.kind,
            begins=held.begins,
            limit=held.limit,
            process=self._asking.name,
            used=held.used,
            left=held.left,
            wanted=held.waiting,
        )


def _give(held: Held, asked: Take, permits: int, taken: int) -> None:
    held.left += permits
    held.low = held.left // 2
    held.rest = max(0, asked.limit - taken)
    if permits < asked.wanted:
        # Some may come back: from whoever held permits of a limit that holds no more.
        held.again_at = time.time() + _AGAIN_SECONDS
