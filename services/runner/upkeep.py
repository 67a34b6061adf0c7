"""Upkeep of what grows with every run: partitions for the coming months, and an end for what is of no more use."""

import asyncio
import logging

import asyncpg

from libs.postgres.database import Database

log = logging.getLogger(__name__)

_SECONDS = 6 * 3600.0
_STEPS = (
    """SELECT make_partition('runs', 'id', month::date,
        uuid_floor(month AT TIME ZONE 'UTC')::text, uuid_floor((month + interval '1 month') AT TIME ZONE 'UTC')::text)
    FROM generate_series(
        date_trunc('month', now() AT TIME ZONE 'UTC') - interval '1 month',
        date_trunc('month', now() AT TIME ZONE 'UTC') + interval '2 months', interval '1 month') AS month""",
    "SELECT drop_empty_months(2)",
    "DELETE FROM answers WHERE created_at < now() - interval '30 days'",
    "DELETE FROM leases WHERE name = holder AND until < now() - interval '1 day'",
)


class Upkeep:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def run(self) -> None:
        """For ever."""
        while True:
            await asyncio.sleep(_SECONDS)
            await self.once()

    async def once(self) -> None:
        """A step that somebody is in the way of waits for the next time. Raises Fault UNAVAILABLE."""
        for step in _STEPS:
            try:
                await self._database.execute(step)
            except (asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError) as error:
                log.info("Upkeep of runs waits", extra={"error": str(error)})
