"""One reader of one run: what its feed brings and what its Follower was told, handed on in order."""

import asyncio
from collections.abc import Callable

from libs.bus import metrics
from libs.bus.order import Order
from libs.contracts import feed, runs
from libs.contracts.faults import Code, Fault

SILENCE = 2.0
_LOST_AFTER = 2
_SHORTEST_PAUSE = 0.1


class Reader:
    """The state that a Follower and the iterator share. Times are the event loop's."""

    def __init__(self, cursor: feed.Cursor, press: "Callable[[Reader], None]") -> None:
        self.workspace_id, self.run_id = cursor.workspace_id, cursor.run_id
        self.order = Order(cursor.attempt, cursor.after)
        self.fault: Fault | None = None
        self._asking = False
        self._press = press
        self._news: asyncio.Future[None] | None = None
        self._active_at = asyncio.get_running_loop().time()
        self._not_before = 0.0
        self._pause = 0.0
        # While a run is still being started, that nobody knows of it yet is no news.
        self.starting = False
        self._not_found = 0

    @property
    def cursor(self) -> feed.Cursor:
        return feed.Cursor(self.workspace_id, self.run_id, self.order.attempt, self.order.after)

    def wants(self, now: float) -> bool:
        return self._may_ask and self.order.wants and now >= self._not_before

    def silent(self, now: float, seconds: float) -> bool:
        return self._may_ask and not self.order.ended and not self.order.full and now - self._active_at >= seconds

    @property
    def _may_ask(self) -> bool:
        return not self._asking and self.fault is None

    def heard(self, frame: feed.Frame, size: int) -> None:
        """It arrived on the feed, in so many bytes."""
        self._active_at = asyncio.get_running_loop().time()
        self.order.heard(frame, size)
        self._news_arrived()

    def ask(self) -> feed.Cursor:
        self._asking = True
        self.order.asked()
        return self.cursor

    def answered(self, answer: feed.Frames | None) -> None:
        """What the holder, or Postgres, has of the run after this cursor. Not to be found twice is to be lost."""
        before = self.cursor
        if answer is not None and answer.found:
            self._not_found = 0
            self.order.told(answer.frames, ended=answer.status in runs.ENDED)
            if answer.more:
                self.order.miss()
        elif not self.starting:
            self._not_found += 1
        if self._not_found >= _LOST_AFTER:
            self.fault = Fault(Code.UNAVAILABLE, "The run was lost with the process that held it; start it again.")
        self._rest(helped=self.cursor != before or not self.order.wants)

    def unanswered(self) -> None:
        self.order.miss()
        self._rest(helped=False)

    def _rest(self, *, helped: bool) -> None:
        """A question that did not help is asked again, but ever more slowly."""
        self._asking = False
        self._active_at = asyncio.get_running_loop().time()
        self._pause = 0.0 if helped else min(2 * self._pause + _SHORTEST_PAUSE, SILENCE)
        self._not_before = self._active_at + self._pause
        self._news_arrived()

    def miss(self) -> None:
        """Frames may have passed this reader by."""
        self.order.miss()
        self._news_arrived()

    def stop(self) -> None:
        """Nothing more will come."""
        self.order.ended = True
        self._news_arrived()

    def fail(self, fault: Fault) -> None:
        self.fault = fault
        self._news_arrived()

    def _news_arrived(self) -> None:
        self._press_if_wanting()
        if self._news is not None and not self._news.done():
            self._news.set_result(None)

    def _press_if_wanting(self) -> None:
        if self.order.wants and self._may_ask:
            self._press(self)

    async def next(self) -> feed.Frame | None:
        """The next frame of a kind that this version knows, None after the last. Raises the Fault that ended it all."""
        while (frame := self._take()) is None:
            if self.fault is not None:
                raise self.fault
            if self.order.ended:
                return None
            self._press_if_wanting()
            await self._more()
        return frame

    async def ended(self) -> bool:
        """Wait for the end: False where the run was lost."""
        while not self.order.ended and self.fault is None:
            await self._more()
        return self.order.ended

    def _take(self) -> feed.Frame | None:
        while (frame := self.order.take()) is not None:
            if not isinstance(frame.body, feed.Unknown):
                return frame
            metrics.UNKNOWN_FRAMES.inc()
        return None

    async def _more(self) -> None:
        """Wait for anything to happen."""
        self._news = asyncio.get_running_loop().create_future()
        await self._news
