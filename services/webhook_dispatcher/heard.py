"""Heard: up to which moment the events are known that may come before others.

Owner: webhook_dispatcher. Its processes take in events side by side, and one that dies leaves some to be taken in
later. What was queued before a moment is in order once every event that any of them was given by then is queued.
"""

from collections import deque
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

from libs.bus.pull import Progress
from libs.postgres.database import Database

_NEVER = datetime.min.replace(tzinfo=UTC)


class Heard:
    """`until` is by the database's clock, and goes on with each `look`."""

    def __init__(self, database: Database, progress: Callable[[], Awaitable[Progress]]) -> None:
        self._database, self._progress = database, progress
        self._seen: deque[tuple[datetime, int]] = deque()
        self.until = _NEVER

    async def look(self) -> None:
        """Raises Fault UNAVAILABLE while the database or the stream does not answer: then nothing new is heard."""
        now = await self._database.fetchval("SELECT clock_timestamp()")
        progress = await self._progress()
        if self._seen and progress.delivered < self._seen[-1][1]:
            self._seen.clear()  # the stream was lost, and is counted anew
        self._seen.append((now, progress.delivered))
        while self._seen and self._seen[0][1] <= progress.taken_in:
            self.until, _ = self._seen.popleft()
