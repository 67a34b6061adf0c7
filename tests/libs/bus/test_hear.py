"""An event's effects happen once, whatever comes twice, fails, or goes away in between."""

import asyncio
from contextlib import asynccontextmanager, suppress
from itertools import groupby
from operator import attrgetter

import asyncpg
import nats.js.errors
import pytest
from msgspec.structs import replace

from libs.bus import hear, pull
from libs.bus.bus import Bus
from libs.bus.hear import Heard, Hearing, Reaction
from libs.bus.stream import EVENTS
from libs.contracts.faults import Code, Fault
from libs.postgres.database import Connection, Database
from tests.libs.bus.ear import SUM, added, becomes, hearing, pending, rows, stated, total, total_becomes
from tests.libs.bus.wire import COUNTED, DOUBLED, Counted, Restartable
from tests.support.waiting import until

pytestmark = pytest.mark.asyncio


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
    await becomes(lambda: pending(feedback), 0)


async def test_stating_twice_under_one_id_is_one_message(runner, feedback):
    first = await runner.state(COUNTED.name, batch := stated(1), "again")
    assert await runner.state(COUNTED.name, batch, "again") == first
    assert (await runner.look()).sequence == first


async def test_two_processes_share_the_events(nats_url, runner, feedback, database, blobs):
    other = await Bus.connect(nats_url, owner="feedback", instance="feedback-2", blobs=blobs)
    async with hearing(feedback, database, added()), hearing(other, database, added()):
        await asyncio.gather(*(runner.state(COUNTED.name, stated(1, 2, 3), f"share {n}") for n in range(200)))
        await total_becomes(database, 1200)
    await becomes(lambda: pending(feedback), 0)
    await other.close()


async def test_what_takes_long_is_kept_from_others_and_what_its_process_leaves_comes_soon(
    nats_url, runner, feedback, database, blobs, monkeypatch
):
    monkeypatch.setattr(pull, "_ACK_SECONDS", 1.0)
    monkeypatch.setattr(hear, "KEEP_SECONDS", 0.3)
    quick, begun = added(), asyncio.Event()

    async def slowly(connection: Connection, heard: list[Heard[Counted]]) -> None:
        begun.set()
        await asyncio.sleep(2)
        await quick.apply(connection, heard)

    doomed = await Bus.connect(nats_url, owner="feedback", instance="feedback-2", blobs=blobs)
    slow, given = Reaction(COUNTED, slowly), list[int]()
    async with hearing(feedback, database, slow), hearing(doomed, database, slow):
        # The best of three: where the machine stands still for a second nobody says that it is at work.
        while min(given, default=2) > 1 and len(given) < 3:
            before, total_before = await given_out(feedback), await total(database)
            await runner.state(COUNTED.name, stated(*range(10)), f"slow {len(given)}")
            await total_becomes(database, total_before + 45)
            await becomes(lambda: pending(feedback), 0)
            given.append(await given_out(feedback) - before)
    assert min(given) == 1
    begun.clear()
    dying = asyncio.ensure_future(Hearing(doomed, database, service="feedback", reactions=[slow]).run())
    heard_before = await total(database)
    await runner.state(COUNTED.name, stated(5), "left behind")
    await begun.wait()
    await doomed.close()
    async with hearing(feedback, database, quick), asyncio.timeout(20):
        await total_becomes(database, heard_before + 5)
    dying.cancel()
    await asyncio.gather(dying, return_exceptions=True)


async def given_out(bus: Bus) -> int:
    """How many messages all processes were given, each as often as they were."""
    with suppress(nats.js.errors.NotFoundError):
        delivered = (await bus.connection.jetstream().consumer_info(EVENTS, "feedback")).delivered
        return delivered.consumer_seq if delivered else 0
    return 0


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
        await connection.execute(SUM, "counted", sum(event.fact.amount for event in heard))
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
    await becomes(lambda: pending(feedback), 0)


async def test_an_event_that_only_the_next_version_knows_waits_for_it(runner, feedback, database):
    async with hearing(feedback, database, added(), added(DOUBLED, "doubled")):
        await runner.state(DOUBLED.name, stated(2), "known once")
        await total_becomes(database, 2, "doubled")
    async with hearing(feedback, database, added()):
        await runner.state(DOUBLED.name, stated(5), "unknown here")
        await runner.state(COUNTED.name, stated(1), "known here")
        await total_becomes(database, 1)
        await becomes(lambda: rows(database, "event_retries"), 1)
    async with hearing(feedback, database, added(), added(DOUBLED, "doubled")):
        await total_becomes(database, 7, "doubled")


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


async def test_events_wait_while_the_database_is_away_which_is_said_once(
    runner, feedback, database, databases, postgres_url, caplog
):
    async with hearing(feedback, database, added()):
        await runner.state(COUNTED.name, stated(1), "before the outage")
        await total_becomes(database, 1)
        async with closed_to_all(databases.url, postgres_url):
            await runner.state(COUNTED.name, stated(10), "during the outage")
            await becomes(lambda: pending(feedback), 1)
            # Long enough to try, and to fail, a second time.
            await asyncio.sleep(hear._PAUSE * 1.5)
        await total_becomes(database, 11)
    await becomes(lambda: pending(feedback), 0)
    assert await rows(database, "event_retries") == 0
    said = sorted((record for record in caplog.records if record.name == hear.__name__), key=attrgetter("message"))
    told = [(record.message, record.error) for record in said]
    assert told
    assert [key for key, _ in groupby(told)] == told, "a reason is said again only after another"


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


async def test_what_concerns_no_reaction_is_not_noted_and_what_concerns_one_goes_to_all(runner, feedback, database):
    async def many(_: Database, heard: list[Heard[Counted]]) -> bool:
        return any(event.fact.amount > 100 for event in heard)

    async def never(_: Database, heard: list[Heard[Counted]]) -> bool:
        return False

    reactions = [replace(added(kind="many"), concerns=many), replace(added(kind="never"), concerns=never)]
    async with hearing(feedback, database, *reactions):
        last = await runner.state(COUNTED.name, stated(1, 2), "few")
        await becomes(lambda: taken_in(feedback), last)
        assert await rows(database, "events_seen") == 0
        await runner.state(COUNTED.name, stated(1, 200), "many")
        await total_becomes(database, 201, "many")
    assert await total(database, "never") == 201
    assert await rows(database, "events_seen") == 2


async def taken_in(bus: Bus) -> int:
    return (await pull.progress(bus.connection, "feedback")).taken_in


async def test_an_event_that_cannot_be_looked_at_is_tried_as_any_other(runner, feedback, database):
    async def broken(_: Database, heard: list[Heard[Counted]]) -> bool:
        raise RuntimeError("it can't be told")

    async with hearing(feedback, database, replace(added(), concerns=broken)):
        await runner.state(COUNTED.name, stated(7), "broken")
        await total_becomes(database, 7)
