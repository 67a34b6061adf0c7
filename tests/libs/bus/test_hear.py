"""An event's effects happen once, whatever comes twice, fails, or goes away in between."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import asyncpg
import msgspec
import pytest
import pytest_asyncio

from libs.bus.bus import Bus
from libs.bus.hear import Heard, Hearing, Reaction
from libs.bus.stream import EVENTS
from libs.contracts import ids
from libs.contracts.faults import Code, Fault
from libs.contracts.subjects import Event, Stated
from libs.postgres.database import Connection, Database
from libs.postgres.migrate import migrate
from tests.libs.bus.wire import COUNTED, DOUBLED, Counted, Restartable
from tests.support.waiting import until

pytestmark = pytest.mark.asyncio

_SUM = "INSERT INTO sums (kind, total) VALUES ($1, $2) ON CONFLICT (kind) DO UPDATE SET total = sums.total + $2"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def migrated(databases):
    database = await Database.connect(databases.dsn("feedback"), schema="feedback", pool_size=4)
    await migrate(database)
    await database.execute("CREATE TABLE sums (kind text PRIMARY KEY, total bigint NOT NULL)")
    yield database
    await database.close()


@pytest_asyncio.fixture
async def database(migrated: Database):
    await migrated.execute("TRUNCATE sums, events_seen, event_retries, dead_letters")
    return migrated


@pytest_asyncio.fixture
async def feedback(nats_url, blobs):
    bus = await Bus.connect(nats_url, owner="feedback", instance="feedback-1", blobs=blobs)
    await bus.ensure_stream()
    await bus.connection.jetstream().purge_stream(EVENTS)
    yield bus
    await bus.close()


@asynccontextmanager
async def hearing(bus: Bus, database: Database, *reactions: Reaction, backoff=(0.05,) * 4):
    ear = Hearing(bus, database, service="feedback", reactions=reactions, backoff=backoff)
    running = asyncio.ensure_future(ear.run())
    yield ear
    await ear.stop()
    await running


def added(event: Event[Counted] = COUNTED, kind: str = "counted") -> Reaction[Counted]:
    """Adds up what is counted; a negative amount breaks it."""

    async def add(connection: Connection, heard: list[Heard[Counted]]) -> None:
        amounts = [event.fact.amount for event in heard]
        await connection.execute(_SUM, kind, sum(amounts))
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
    async with asyncio.timeout(20):
        while await look() != number:  # noqa: ASYNC110 there is nothing to be told by
            await asyncio.sleep(0.02)


async def rows(database: Database, table: str) -> int:
    return await database.fetchval(f"SELECT count(*) FROM {table}")


async def pending(bus: Bus) -> int:
    """Events that are not acknowledged."""
    consumer = await bus.connection.jetstream().consumer_info(EVENTS, "feedback")
    return (consumer.num_pending or 0) + (consumer.num_ack_pending or 0)


async def test_events_are_heard_once_and_acknowledged(runner, feedback, database):
    async with hearing(feedback, database, added(), added(DOUBLED, "doubled")):
        batch = stated(*range(100))
        assert await runner.state(COUNTED.name, batch, "first") > 0
        await runner.state(DOUBLED.name, stated(5), "second")
        await total_becomes(database, 4950)
        # The same facts in another message: a relay that publishes again.
        await runner.state(COUNTED.name, batch, "third")
        await runner.state(COUNTED.name, stated(50), "fourth")
        await total_becomes(database, 5000)
    assert await total(database, "doubled") == 5
    assert await pending(feedback) == 0


async def test_stating_twice_under_one_id_is_one_message(runner, feedback):
    first = await runner.state(COUNTED.name, batch := stated(1), "again")
    assert await runner.state(COUNTED.name, batch, "again") == first
    assert (await runner.look()).sequence == first


async def test_two_processes_share_the_events(nats_url, runner, feedback, database, blobs):
    other = await Bus.connect(nats_url, owner="feedback", instance="feedback-2", blobs=blobs)
    async with hearing(feedback, database, added()), hearing(other, database, added()):
        await asyncio.gather(*(runner.state(COUNTED.name, stated(1, 2, 3), f"share {n}") for n in range(200)))
        await total_becomes(database, 1200)
    assert await pending(feedback) == 0
    await other.close()


async def test_one_bad_event_costs_the_others_nothing_and_is_tried_five_times(runner, feedback, database):
    async with hearing(feedback, database, added()):
        await runner.state(COUNTED.name, stated(1, -1, 2), "bad")
        await total_becomes(database, 3)
        await becomes(lambda: rows(database, "dead_letters"), 1)
    letter = await database.fetchrow("SELECT * FROM dead_letters")
    assert letter is not None
    assert (letter["tries"], letter["reason"]) == (5, "ValueError: less than nothing")
    assert COUNTED.unpack(letter["body"]).amount == -1
    assert await rows(database, "event_retries") == 0
    assert await total(database) == 3


async def test_an_event_that_failed_once_succeeds_later(runner, feedback, database):
    failures = iter([RuntimeError("not yet")] * 2)

    async def add(connection: Connection, heard: list[Heard[Counted]]) -> None:
        await connection.execute(_SUM, "counted", sum(event.fact.amount for event in heard))
        if (failure := next(failures, None)) is not None:
            raise failure

    async with hearing(feedback, database, Reaction(COUNTED, add)):
        await runner.state(COUNTED.name, stated(7), "later")
        await total_becomes(database, 7)
    assert await rows(database, "event_retries") == 0
    assert await rows(database, "dead_letters") == 0


async def test_what_is_no_event_at_all_becomes_a_dead_letter(runner, feedback, database):
    async with hearing(feedback, database, added()):
        await runner.connection.jetstream().publish(COUNTED.name, b"\xc1 garbage")
        await runner.state(COUNTED.name, stated(4), "after garbage")
        await total_becomes(database, 4)
    assert await database.fetchval("SELECT body FROM dead_letters") == b"\xc1 garbage"
    assert await pending(feedback) == 0


async def test_an_event_that_only_the_next_version_knows_waits_for_it(runner, feedback, database):
    async with hearing(feedback, database, added(), added(DOUBLED, "doubled")):
        pass
    async with hearing(feedback, database, added()):
        await runner.state(DOUBLED.name, stated(5), "unknown here")
        await runner.state(COUNTED.name, stated(1), "known here")
        await total_becomes(database, 1)
        await becomes(lambda: rows(database, "event_retries"), 1)
    async with hearing(feedback, database, added(), added(DOUBLED, "doubled")):
        await total_becomes(database, 5, "doubled")


async def test_hearing_goes_on_over_a_restart_of_nats(server: Restartable, database, blobs):
    runner = await Bus.connect(server.url, owner="runner", instance="runner-1", blobs=blobs)
    feedback = await Bus.connect(server.url, owner="feedback", instance="feedback-1", blobs=blobs)
    async with hearing(feedback, database, added()):
        await runner.state(COUNTED.name, stated(1), "before")
        await total_becomes(database, 1)
        server.stop()
        await until(lambda: not runner.connected and not feedback.connected)
        with pytest.raises(Fault) as caught:
            await runner.state(COUNTED.name, stated(10), "between")
        assert caught.value.code == Code.UNAVAILABLE
        server.start()
        await until(lambda: runner.connected and feedback.connected)
        await runner.state(COUNTED.name, stated(100), "after")
        await total_becomes(database, 101)
    await asyncio.gather(runner.close(), feedback.close())


async def test_a_stream_that_was_lost_is_made_anew_and_heard(server: Restartable, database, blobs):
    runner = await Bus.connect(server.url, owner="runner", instance="runner-1", blobs=blobs)
    feedback = await Bus.connect(server.url, owner="feedback", instance="feedback-1", blobs=blobs)
    async with hearing(feedback, database, added()):
        for number in range(3):
            await runner.state(COUNTED.name, stated(1), f"before {number}")
        await total_becomes(database, 3)
        before = await runner.look()
        await feedback.connection.jetstream().delete_stream(EVENTS)
        # The relay sees the number fall back.
        assert await runner.state(COUNTED.name, stated(10), "after") == 1
        assert (await runner.look()).born != before.born
        await total_becomes(database, 13)
    await asyncio.gather(runner.close(), feedback.close())


async def test_events_wait_while_the_database_is_away(runner, feedback, database, databases, postgres_url):
    async with hearing(feedback, database, added()):
        await runner.state(COUNTED.name, stated(1), "before the outage")
        await total_becomes(database, 1)
        async with closed_to_all(databases.url, postgres_url):
            await runner.state(COUNTED.name, stated(10), "during the outage")
            await becomes(lambda: pending(feedback), 1)
        await total_becomes(database, 11)
    assert await pending(feedback) == 0
    assert await rows(database, "event_retries") == 0


@asynccontextmanager
async def closed_to_all(url: str, admin_url: str):
    """Nobody can be connected to the database, until the end of this."""
    name = url.rpartition("/")[2].partition("?")[0]
    admin = await asyncpg.connect(admin_url)
    await admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
    await admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", name)
    try:
        yield
    finally:
        await admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
        await admin.close()
