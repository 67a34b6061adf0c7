"""Observing: gauges that need a query, read every few seconds beside the work and never when somebody asks for them.

The rule: a number is as old as the last look at most. Where a look fails its series become NaN and
`polyvox_observation_failed` says so: nobody is shown a stale number.
"""

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from prometheus_client import Gauge

from libs.postgres.database import Database
from libs.runtime import metrics

log = logging.getLogger(__name__)

_SECONDS = 5.0
# What is beyond 10,000 rows is not counted: that many are a backlog.
_OUTBOX = """
SELECT count(*), coalesce(extract(epoch FROM now() - min(at)), 0)::float8
FROM (SELECT at FROM outbox WHERE published_at IS NULL ORDER BY n LIMIT 10000) AS waiting
"""
_LETTERS = """
SELECT (SELECT count(*) FROM (SELECT FROM event_retries LIMIT 10000) AS retries),
    (SELECT count(*) FROM (SELECT FROM dead_letters LIMIT 10000) AS dead),
    (SELECT count(*) FROM (SELECT FROM erasures WHERE due_at <= now() LIMIT 10000) AS due)
"""


@dataclass(frozen=True)
class Observed:
    """`look` gives a number for each of the gauges, in their order."""

    name: str
    gauges: Sequence[Gauge]
    look: Callable[[], Awaitable[Sequence[float]]]


def query(database: Database, name: str, gauges: Sequence[Gauge], sql: str) -> Observed:
    """The columns of the one row that `sql` gives."""

    async def look() -> Sequence[float]:
        row = await database.fetchrow(sql)
        return [float(value) for value in row.values()] if row else []

    return Observed(name, gauges, look)


def of_every_service(database: Database) -> list[Observed]:
    letters = (metrics.EVENT_RETRIES, metrics.DEAD_LETTERS, metrics.ERASURES)
    return [
        query(database, "outbox", (metrics.OUTBOX_ROWS, metrics.OUTBOX_SECONDS), _OUTBOX),
        query(database, "letters", letters, _LETTERS),
    ]


async def observe(observed: Sequence[Observed], *, every: float = _SECONDS) -> None:
    """For ever. What can't be read is said once, and again where the reason is another."""
    said: dict[str, str] = {}
    while True:
        for each in observed:
            reason = await look(each)
            if reason and reason != said.get(each.name):
                log.warning("A backlog can't be read", extra={"what": each.name, "error": reason})
            said[each.name] = reason
        await asyncio.sleep(every)


async def look(observed: Observed) -> str:
    """Why it can't be read; nothing where it can."""
    try:
        numbers, reason = await observed.look(), ""
    except Exception as error:  # whatever it is, the number is not known
        numbers, reason = [math.nan] * len(observed.gauges), str(error) or type(error).__name__
    metrics.OBSERVATION_FAILED.labels(observed.name).set(bool(reason))
    for gauge, number in zip(observed.gauges, numbers, strict=True):
        gauge.set(number)
    return reason
