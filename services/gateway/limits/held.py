"""Held: what one process has of one window of a workspace. Pure: no clock but the times it is told, no I/O.

The rule: whatever is let in was given before, out of the window's row in Postgres, and is in one place only: with the
process that was given it. What is lost on the way was used by nobody, and is used by nobody any more.
"""

import asyncio

from msgspec import Struct

from libs.contracts.limits import Kind

# For so long whoever was given too little does not ask again: what others give back may come.
_AGAIN_SECONDS = 1.0
# So many blocks are a limit's, over all gateways: what idle ones hold back is a hundredth.
_BLOCKS = 100
# Of a minute that has much left a block is bigger: so many of each gateway.
_BIG_BLOCKS = 4


class Given(Struct, frozen=True):
    """`permits` of those that were asked for under a `limit`; `surplus` were taken out for nobody. `rest` are left."""

    limit: int
    permits: int
    rest: int
    surplus: int = 0


class Spent(Struct, frozen=True):
    """What became of permits since it was last told: `used`, and by how much more or fewer are out (`given`)."""

    used: int
    given: int


class Held(Struct, eq=False):
    """`left` of its permits are not used yet, `rest` were nobody's when it last asked; below `low` it asks for more.

    Before `again_at` it is no use to ask. `waiting` are requests without a permit, `asking` is under way.
    `pace`: what was used within the last second.
    """

    kind: Kind
    begins: int
    ends: int
    limit: int | None
    left: int = 0
    rest: int = 0
    low: int = 0
    again_at: float = 0.0
    refused: bool = False
    waiting: int = 0
    pace: int = 0
    asking: "asyncio.Task[None] | None" = None
    # Not told yet: what was used, what of it without a permit, and permits that are to go back.
    _untold: int = 0
    _owed: int = 0
    _back: int = 0

    def __post_init__(self) -> None:
        self.rest = self.limit or 0

    def admit(self) -> bool:
        """Uses a permit. Where there is no limit it needs none."""
        if self.limit is None:
            self._owed += 1
        elif self.left > 0:
            self.left -= 1
        else:
            return False
        self._untold += 1
        return True

    def take_back(self) -> None:
        """The permit of what was refused after all; it may have been told that it is used."""
        if self.limit is None:
            self._owed -= 1
        else:
            self.left += 1
        self._untold -= 1

    def wanted(self, processes: int) -> int:
        """How many permits to ask for: one for each that waits, and what fills a block up."""
        return max(1, self.waiting, self._block(processes) - self.left)

    def take(self, given: Given, now: float) -> None:
        """What was asked for under a limit that holds no more goes back."""
        self._back += given.surplus
        if given.limit != self.limit:
            self._back += given.permits
            return
        self.left += given.permits
        self.rest, self.low = given.rest, self.left // 4 if given.rest else 0
        if not given.rest:
            self.again_at = now + _AGAIN_SECONDS

    def turn(self, limit: int | None) -> None:
        """Another limit holds from now on."""
        self.limit, self.rest, self.refused = limit, limit or 0, False
        self.give_back()

    def give_back(self) -> None:
        """But for what was given to those who wait."""
        self._return(max(0, self.left - self.waiting))
        self.again_at = 0.0

    def returned(self) -> int:
        """How many permits are to go back, once: before more are asked for under another limit."""
        back, self._back = self._back, 0
        return back

    def spare(self, processes: int) -> None:
        """Once a second: gives back what would last for long, as it was used lately, where others may want it."""
        self.pace = self._untold
        if processes > 1:
            self._return(max(0, self.left - max(self._lasting(), self._block(processes))))

    def tell(self) -> Spent | None:
        """What is news, once."""
        spent = Spent(self._untold, self._owed - self._back)
        self._untold = self._owed = self._back = 0
        return spent if spent.used or spent.given else None

    def untell(self, spent: Spent) -> None:
        """It may have been heard or not: what was given back is not given back again, or it might be there twice."""
        self._untold += spent.used
        self._owed += max(0, spent.given)

    @property
    def untold(self) -> int:
        return self._untold

    def _return(self, permits: int) -> None:
        self.left -= permits
        self._back += permits

    def _block(self, processes: int) -> int:
        """A hundredth of the limit, divided by all. Much is left of most minutes: then it is what lasts for a while."""
        limit = self.limit or 0
        small = limit // (_BLOCKS * processes)
        if self.kind is not Kind.REQUESTS:
            return small
        if processes == 1:
            return max(small, self.rest // _BIG_BLOCKS)
        plenty = (self.rest - limit // 2) // (_BIG_BLOCKS * processes)
        return max(small, min(plenty, self._lasting()))

    def _lasting(self) -> int:
        """What lasts for about two seconds."""
        return 2 * max(self.pace, self._untold)
