"""A service that hears and adds up: what its tests do to it and look at."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import msgspec

from libs.bus.bus import Bus
from libs.bus.hear import Heard, Hearing, Reaction
from libs.bus.stream import EVENTS
from libs.contracts import ids
from libs.contracts.faults import Fault
from libs.contracts.subjects import Event, Stated
from libs.postgres.database import Connection, Database
from tests.libs.bus.wire import COUNTED, Counted

SUM = "INSERT INTO sums (kind, total) VALUES ($1, $2) ON CONFLICT (kind) DO UPDATE SET total = sums.total + $2"


@asynccontextmanager
async def hearing(bus: Bus, database: Database, *reactions: Reaction, backoff=(0.05,) * 4):
    ear = Hearing(bus, database, service="feedback", reactions=reactions, backoff=backoff)
    running = asyncio.ensure_future(ear.run())
    try:
        yield ear
    finally:
        await ear.stop()
        await running


def added(event: Event[Counted] = COUNTED, kind: str = "counted") -> Reaction[Counted]:
    """Adds up what is counted; a negative amount breaks it."""

    async def add(connection: Connection, heard: list[Heard[Counted]]) -> None:
        amounts = [event.fact.amount for event in heard]
        await connection.execute(SUM, kind, sum(amounts))
        if min(amounts) < 0:
            raise ValueError("less than nothing")

    return Reaction(event, add)


def stated(*amounts: int) -> list[Stated]:
    return [
        Stated(ids.new(), datetime.now(UTC), msgspec.Raw(COUNTED.pack(Counted(ids.new(), amount))))
        for amount in amounts
    ]


async def total(database: Database, kind: str = "counted") -> int:
    return await database.fetchval("SELECT total FROM sums WHERE kind = $1", kind) or 0


async def total_becomes(database: Database, amount: int, kind: str = "counted") -> None:
    await becomes(lambda: total(database, kind), amount)


async def becomes(look: Callable[[], Awaitable[int]], number: int) -> None:
    """A connection that an outage has broken may be found so at the first look after it."""
    async with asyncio.timeout(60):
        while await _seen(look) != number:  # noqa: ASYNC110 there is nothing to be told by
            await asyncio.sleep(0.02)


async def _seen(look: Callable[[], Awaitable[int]]) -> int | None:
    try:
        return await look()
    except Fault:
        return None


async def rows(database: Database, table: str) -> int:
    return await database.fetchval(f"SELECT count(*) FROM {table}")


async def pending(bus: Bus) -> int:
    """Events that are not acknowledged."""
    consumer = await bus.connection.jetstream().consumer_info(EVENTS, "feedback")
    return (consumer.num_pending or 0) + (consumer.num_ack_pending or 0)
