"""Room: how many attempts may be open at once, at one endpoint, in one workspace, and at all those that are slow.

Owner: webhook_dispatcher, one in each process. Slow are the attempts at endpoints that fail, and those not answered in
time: they have room of their own and take none from the others. Whoever has not answered just now is in doubt: some of
the room is for the others alone, and of what is left no workspace takes all. An endpoint that fails loses half of its
room with each failure, down to one attempt, and gets it back by doubling with each success: a recovering receiver's
backlog comes in a ramp.
"""

import time
from collections import Counter
from uuid import UUID

from msgspec import Struct

# An attempt that is open for longer hangs; an endpoint that has answered within it is in no doubt.
HANGS_SECONDS = 1.0
# As many times what is left for others may be a workspace's in doubt.
_SHARE = 2


class Limits(Struct, frozen=True):
    """Attempts at once: in this process, at one endpoint, and in one workspace; and how many may be `open` in all,
    those that fail or hang included.
    """

    slots: int
    each: int
    workspace: int
    open: int

    @property
    def slow(self) -> int:
        """For all endpoints together that fail."""
        return max(1, self.slots // 4)

    @property
    def doubtful(self) -> int:
        """For those in doubt: the others have a quarter of the slots for themselves."""
        return self.slots - self.slots // 4

    @property
    def unanswered(self) -> int:
        """For those in doubt and those that fail or hang."""
        return max(self.slots, self.open - self.slots)

    @property
    def line(self) -> int:
        """For those in doubt that have not begun."""
        return max(4, self.slots // 4)

    @property
    def batch(self) -> int:
        """As few are worth a claim: one for every attempt that may begin would cost a query each."""
        return max(1, self.slots // 32)

    def of_workspace(self, *, slow: bool) -> int:
        return max(1, min(self.workspace, self.slow // 2)) if slow else self.workspace


class Place(Struct, frozen=True):
    """What an attempt takes. `doubtful`: among the quick ones, and at an endpoint that had not answered just before."""

    endpoint_id: UUID
    workspace_id: UUID
    slow: bool
    doubtful: bool = False


class Room:
    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.endpoints: Counter[UUID] = Counter()
        self._workspaces: dict[bool, Counter[UUID]] = {False: Counter(), True: Counter()}
        self._most: dict[UUID, int] = {}
        self._answered: dict[UUID, tuple[float, UUID]] = {}
        self._doubtful: Counter[UUID] = Counter()

    @property
    def free_doubtful(self) -> int:
        return min(self.limits.doubtful - self._doubtful.total(), self._free_unanswered)

    @property
    def _free_unanswered(self) -> int:
        return self.limits.unanswered - self._doubtful.total() - self._workspaces[True].total()

    @property
    def many_hang(self) -> bool:
        return self._workspaces[True].total() > self.limits.slow

    def unanswered(self, workspace_id: UUID) -> int:
        """Its attempts in doubt, and those that fail or hang."""
        return self._doubtful[workspace_id] + self._workspaces[True][workspace_id]

    def full(self) -> list[UUID]:
        """Workspaces that have their share in doubt: some room is left for others, however many want it."""
        spare = self.limits.batch
        doubtful = _SHARE * (self.limits.doubtful - self._doubtful.total() - spare)
        unanswered = _SHARE * (self._free_unanswered - spare)
        known = {*self._doubtful, *self._workspaces[True]}
        return [id for id in known if self._doubtful[id] >= doubtful or self.unanswered(id) >= unanswered]

    def trusted(self) -> list[tuple[UUID, UUID]]:
        """Those that have answered just now, each behind its workspace."""
        late = time.monotonic() - HANGS_SECONDS
        while self._answered and self._answered[first := next(iter(self._answered))][0] < late:
            del self._answered[first]
        return [(workspace_id, id) for id, (_, workspace_id) in self._answered.items()]

    def trusts(self, endpoint_id: UUID) -> bool:
        at, _ = self._answered.get(endpoint_id, (0.0, None))
        return at > time.monotonic() - HANGS_SECONDS

    def free(self, *, slow: bool) -> int:
        open_here = self._workspaces[slow].total()
        if slow:
            return self.limits.slow - open_here
        return min(self.limits.slots - open_here, self.limits.open - self.endpoints.total())

    def workspaces(self, *, slow: bool) -> Counter[UUID]:
        """Attempts open in each."""
        return self._workspaces[slow]

    def most(self, endpoint_id: UUID) -> int:
        return self._most.get(endpoint_id, self.limits.each)

    def known(self) -> dict[UUID, tuple[int, int]]:
        """Attempts open and allowed, at each endpoint where either is worth telling: one is what those that fail have
        anyway.
        """
        recovering = (id for id, most in self._most.items() if most > 1)
        return {id: (self.endpoints[id], self.most(id)) for id in {*self.endpoints, *recovering}}

    def take(self, place: Place) -> None:
        self.endpoints[place.endpoint_id] += 1
        self._workspaces[place.slow][place.workspace_id] += 1
        if place.doubtful:
            self._doubtful[place.workspace_id] += 1

    def give_back(self, place: Place) -> None:
        _less(self.endpoints, place.endpoint_id)
        _less(self._workspaces[place.slow], place.workspace_id)
        if place.doubtful:
            _less(self._doubtful, place.workspace_id)

    def saw(self, place: Place, *, delivered: bool) -> None:
        """What came of an attempt there."""
        id = place.endpoint_id
        self._answered.pop(id, None)
        if delivered:
            self._answered[id] = time.monotonic(), place.workspace_id
        most = self.most(id) * 2 if delivered else max(1, self.most(id) // 2)
        if most >= self.limits.each:
            self._most.pop(id, None)
        else:
            self._most[id] = most

    def hangs(self, endpoint_id: UUID) -> None:
        self._answered.pop(endpoint_id, None)

    def short(self) -> bool:
        """Whether something that is due, and in no doubt, may wait for room."""
        return (
            self.free(slow=False) <= 0
            or any(open > 1 and open >= self.most(id) for id, open in self.endpoints.items())
            or any(open >= self.limits.workspace for open in self._workspaces[False].values())
        )

    def wide(self, place: Place) -> bool:
        """Whether there is room for a batch where this was: to claim for every slot that comes free would cost a query
        each.
        """
        return (
            self.free(slow=False) >= self.limits.slots // 4
            or self.endpoints[place.endpoint_id] in (0, self.most(place.endpoint_id) // 2)
            or self._workspaces[False][place.workspace_id] == self.limits.workspace // 2
        )


def _less(counter: Counter[UUID], id: UUID) -> None:
    counter[id] -= 1
    if not counter[id]:
        del counter[id]
