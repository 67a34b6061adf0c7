"""The outbox and its relay: what commits is published in order, once where all is well, and again where it was lost."""

import asyncio
import uuid
from contextlib import asynccontextmanager, suppress

import msgspec
import pytest
import pytest_asyncio

from libs.contracts.faults import Code, Fault
from libs.contracts.subjects import Event, Stated
from libs.postgres import outbox
from libs.postgres.database import Database
from libs.postgres.leases import Lease
from libs.postgres.outbox import Relay, Stream
from tests.support.waiting import until

pytestmark = pytest.mark.asyncio


class Counted(msgspec.Struct, frozen=True):
    n: int


COUNTED = Event("event.runner.outbox_tests.counted", Counted)
OTHER = Event("event.runner.outbox_tests.noticed", Counted)


class Stage:
    """Where a relay publishes to: a stream that can refuse, and be lost."""

    def __init__(self) -> None:
        self.messages: list[tuple[str, list[Stated], str]] = []
        self.born = "first"
        self.refusing = False
        self.arrived = asyncio.Event()

    async def publish(self, subject: str, batch: list[Stated], message_id: str) -> int:
        if self.refusing:
            raise Fault(Code.UNAVAILABLE, "The stream is away.")
        self.messages.append((subject, batch, message_id))
        self.arrived.set()
        return len(self.messages)

    async def look(self) -> Stream:
        return Stream(self.born, len(self.messages))

    def lose(self, born: str) -> None:
        self.messages, self.born = [], born

    def numbers(self, event: Event[Counted] = COUNTED) -> list[int]:
        return [
            event.unpack(stated.body).n
            for subject, batch, _ in self.messages
            if subject == event.name
            for stated in batch
        ]


@pytest_asyncio.fixture
async def emptied(runner: Database):
    await runner.execute("TRUNCATE outbox, outbox_stream")
    return runner


@pytest.fixture
def stage():
    return Stage()


@pytest_asyncio.fixture
async def relay(emptied: Database, stage: Stage):
    return Relay(emptied, await _held(emptied), stage.publish)


async def _held(database: Database) -> Lease:
    lease = Lease(database, f"relay-{uuid.uuid4()}", "test", seconds=60)
    await lease.renew()
    return lease


@asynccontextmanager
async def _running(relay: Relay):
    running = asyncio.ensure_future(relay.run())
    yield
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running


async def _state(database: Database, *numbers: int, event: Event[Counted] = COUNTED) -> None:
    async with database.transaction() as connection:
        await outbox.state(connection, event, [Counted(n) for n in numbers])


async def test_what_commits_is_published_in_order_and_once(emptied: Database, stage: Stage, relay: Relay):
    await _state(emptied, 1, 2, 3)
    await _state(emptied, 4)
    await relay.push()
    await relay.push()
    assert stage.numbers() == [1, 2, 3, 4]


async def test_what_is_rolled_back_is_never_published(emptied: Database, stage: Stage, relay: Relay):
    async def fail() -> None:
        async with emptied.transaction() as connection:
            await outbox.state(connection, COUNTED, [Counted(1)])
            raise KeyError

    with pytest.raises(KeyError):
        await fail()
    await relay.push()
    assert stage.messages == []


async def test_a_message_carries_up_to_a_hundred_events_of_one_subject(emptied: Database, stage: Stage, relay: Relay):
    for start in range(0, 230, 23):
        await _state(emptied, *range(start, start + 23))
        await _state(emptied, start, event=OTHER)
    await relay.push()
    assert [(subject, len(batch)) for subject, batch, _ in stage.messages] == [
        (COUNTED.name, 100),
        (COUNTED.name, 100),
        (COUNTED.name, 30),
        (OTHER.name, 10),
    ]
    assert stage.numbers() == list(range(230))
    _, batch, message_id = stage.messages[0]
    assert message_id == f"runner.{batch[0].id.hex}-{batch[-1].id.hex}.100"


async def test_a_fact_that_is_no_fact_but_a_document_is_refused_where_it_is_stated(emptied: Database):
    text = Event("event.runner.outbox_tests.written", str)
    async with emptied.transaction() as connection:
        with pytest.raises(ValueError, match="over 64 KiB"):
            await outbox.state(connection, text, ["x" * 70_000])


async def test_a_commit_is_published_by_a_running_relay(emptied: Database, stage: Stage, relay: Relay):
    async with _running(relay):
        await _state(emptied, 1)
        await asyncio.wait_for(stage.arrived.wait(), 60)
    assert stage.numbers() == [1]


async def test_a_failure_stops_the_relay_until_it_is_over(emptied: Database, stage: Stage, relay: Relay):
    await _state(emptied, *range(150))
    await _state(emptied, 1, event=OTHER)

    async def publish(subject: str, batch: list[Stated], message_id: str) -> int:
        if len(stage.messages) == 1:
            raise Fault(Code.UNAVAILABLE, "The stream is away.")
        return await stage.publish(subject, batch, message_id)

    failing = Relay(emptied, await _held(emptied), publish)
    with pytest.raises(Fault):
        await failing.push()
    assert stage.numbers() == list(range(100))
    assert stage.numbers(OTHER) == []
    await relay.push()
    assert stage.numbers() == list(range(150))
    assert stage.numbers(OTHER) == [1]


async def test_a_running_relay_goes_on_after_a_failure(emptied: Database, stage: Stage, relay: Relay):
    stage.refusing = True
    async with _running(relay):
        await _state(emptied, 1, 2)
        await asyncio.sleep(0.1)
        stage.refusing = False
        await until(lambda: stage.numbers() == [1, 2])


async def test_a_relay_without_the_lease_publishes_nothing_and_nudges(emptied: Database, stage: Stage):
    nudged = asyncio.Event()

    async def nudge() -> None:
        nudged.set()

    relay = Relay(emptied, Lease(emptied, "not ours", "test"), stage.publish, nudge=nudge)
    async with _running(relay):
        await _state(emptied, 1)
        await asyncio.wait_for(nudged.wait(), 60)
    await relay.push()
    assert stage.messages == []


async def test_a_nudge_makes_the_holder_publish_what_another_process_committed(
    databases, emptied: Database, stage: Stage, relay: Relay
):
    other = await Database.connect(databases.dsn("runner"), schema="runner", pool_size=1)
    async with _running(relay):
        await _state(other, 7)
        relay.wake()
        await until(lambda: stage.numbers() == [7])
    await other.close()


async def test_two_relays_of_one_schema_publish_each_event_once(databases, emptied: Database, stage: Stage):
    other = await Database.connect(databases.dsn("runner"), schema="runner", pool_size=2)
    leases = [Lease(emptied, "one", "a", seconds=60), Lease(other, "one", "b", seconds=60)]
    for lease in leases:
        await lease.renew()
    relays = [Relay(emptied, leases[0], stage.publish), Relay(other, leases[1], stage.publish)]
    async with _running(relays[0]), _running(relays[1]):
        for n in range(20):
            await _state((emptied, other)[n % 2], n)
            relays[0].wake()
        await until(lambda: len(stage.numbers()) >= 20)
    assert stage.numbers() == list(range(20))
    await other.close()


async def test_a_stream_with_lower_numbers_than_before_gets_everything_again(
    emptied: Database, stage: Stage, relay: Relay
):
    await _state(emptied, 1)
    await relay.push()
    await _state(emptied, 2)
    await relay.push()
    stage.lose("second")
    await _state(emptied, 3)
    await relay.push()
    await relay.push()
    assert set(stage.numbers()) == {1, 2, 3}
    assert await emptied.fetchval("SELECT count(*) FROM outbox WHERE published_at IS NULL") == 0


@pytest.mark.parametrize("fill", [0, 5])
async def test_a_new_stream_gets_everything_again_without_anything_new_to_publish(
    emptied: Database, stage: Stage, fill: int
):
    lease = await _held(emptied)
    await _state(emptied, 1, 2)
    await Relay(emptied, lease, stage.publish, look=stage.look).push()
    stage.lose("second")
    for _ in range(fill):
        await stage.publish("another's", [], "")
    later = Relay(emptied, lease, stage.publish, look=stage.look)
    await later.push()
    await later.push()
    assert stage.numbers() == [1, 2]


async def test_a_stream_that_only_grew_gets_nothing_again(emptied: Database, stage: Stage):
    lease = await _held(emptied)
    await _state(emptied, 1)
    await Relay(emptied, lease, stage.publish, look=stage.look).push()
    await stage.publish("another's", [], "")
    await Relay(emptied, lease, stage.publish, look=stage.look).push()
    assert stage.numbers() == [1]
