"""Upkeep of the tables that every service has: partitions for the coming days, and an end for what is old.

Owner: libs.postgres; the holder of the relay's lease runs it. The rule: each step is a transaction of its own and waits
for nobody longer than 5 s, so that it never stands in the way of work.
"""

import logging

import asyncpg

from libs.postgres.database import Database

log = logging.getLogger(__name__)

# Ids are known for longer than events are kept: one that is published again lives on in the stream.
_STEPS = (
    "SELECT make_partition_by_time('outbox', 'at', day) FROM coming_days() AS day",
    "SELECT make_partition_by_id('events_seen', 'id', day) FROM coming_days() AS day",
    "SELECT drop_partitions('outbox', 3, 'published_at IS NULL')",
    "SELECT drop_partitions('events_seen', 14)",
    "DELETE FROM events_seen_other WHERE id < uuid_floor(now() - interval '14 days')",
    "DELETE FROM changes WHERE at < now() - interval '1 day'",
    "DELETE FROM leases WHERE until < now() - interval '1 day'",
)


async def upkeep(database: Database) -> bool:
    """False where a step was left for later, because somebody held what it needs."""
    done = [await _done(database, step) for step in _STEPS]
    return all(done)


async def _done(database: Database, step: str) -> bool:
    try:
        await database.execute(step)
    except (asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError) as error:
        log.info("upkeep waits for %s: %s", step, error)
        return False
    return True
