"""Upkeep: partitions made ahead for the coming days, and those whose time is up dropped.

Owner: webhook_dispatcher. Any process may do it, as often as it likes. Each step is a transaction of its own, which
gives way to work that holds what it needs.
"""

import asyncio
import logging

import asyncpg

from libs.postgres.database import Database
from services.webhook_dispatcher.store.upkeep import steps

log = logging.getLogger(__name__)

_SECONDS = 3600.0


class Upkeep:
    def __init__(self, database: Database, *, kept_days: int) -> None:
        self._database, self._kept_days = database, kept_days

    async def run(self) -> None:
        while True:
            await asyncio.sleep(_SECONDS)
            await self.once()

    async def once(self) -> None:
        """To be done before anything is heard: a row on its way while its day's partition is made is refused."""
        for step in steps(self._kept_days):
            try:
                await self._database.execute(step)
            except (asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError) as error:
                log.info("Upkeep is left for the next hour", extra={"step": step, "error": str(error)})
