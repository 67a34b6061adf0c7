"""The ledger: what each process was given in a window, and what it used of that. In memory, without a clock.

The rule: each process alone knows what it used and has left, and its last word counts. What was written of it before
counts only where that is more.
"""

from uuid import UUID

from libs.contracts.limits import Kind

# A window of a workspace: what is counted, and when it began.
Key = tuple[UUID, Kind, int]

# So many blocks are a limit's, over all processes: what idle ones hold is one of a hundred permits at most.
_BLOCKS = 100


class Account:
    """One window of a workspace. `known`: what was counted in it before is in it. `unwritten`: permits that nobody else
    knows of.
    """

    __slots__ = ("_taken", "_used", "known", "reached", "taken", "unwritten", "used")

    def __init__(self, *, known: bool) -> None:
        self._taken: dict[str, int] = {}
        self._used: dict[str, int] = {}
        self.taken = self.used = self.unwritten = 0
        self.known, self.reached = known, False

    def book(self, process: str, used: int, left: int) -> bool:
        """What a process says itself. Whether that is news."""
        return self._put(process, used, used + left)

    def remember(self, process: str, used: int, taken: int) -> None:
        """What was known of a process once."""
        self._put(process, max(used, self._used.get(process, 0)), max(taken, self._taken.get(process, 0)))

    def give(self, process: str, limit: int, *, wanted: int, left: int, processes: int) -> int:
        """As many as are wanted, while there are some, and what fills a block up."""
        rest = max(0, limit - self.taken)
        block = max(1, rest // (_BLOCKS * processes))
        permits = min(rest, max(wanted, block - left))
        self._put(process, self._used.get(process, 0), self._taken.get(process, 0) + permits)
        return permits

    def used_beside(self, process: str) -> int:
        """By all others."""
        return self.used - self._used.get(process, 0)

    def shares(self) -> dict[str, tuple[int, int]]:
        """Of each process, what it used and took."""
        return {process: (self._used.get(process, 0), taken) for process, taken in self._taken.items()}

    def _put(self, process: str, used: int, taken: int) -> bool:
        used_before, taken_before = self._used.get(process, 0), self._taken.get(process, 0)
        self._used[process], self._taken[process] = used, taken
        self.used += used - used_before
        self.taken += taken - taken_before
        return used != used_before or taken != taken_before
