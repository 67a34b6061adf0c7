"""Upkeep: tomorrow's partitions made today, and those whose time is up dropped.

Owner: webhook_dispatcher. Any process may do it, at any time, as often as it likes.
"""

import asyncio

from libs.postgres.database import Database
from services.webhook_dispatcher.store import queue

_SECONDS = 3600.0


class Upkeep:
    def __init__(self, database: Database, *, kept_days: int) -> None:
        self._database, self._kept_days = database, kept_days

    async def once(self) -> None:
        await queue.upkeep(self._database, kept_days=self._kept_days)

    async def run(self) -> None:
        while True:
            await asyncio.sleep(_SECONDS)
            await self.once()
