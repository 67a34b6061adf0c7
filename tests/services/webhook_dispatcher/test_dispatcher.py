"""Several receivers, several dispatchers, and a stop in the middle."""

import asyncio

import asyncpg
import pytest
import pytest_asyncio

from libs.contracts import feedback, ids
from services.webhook_dispatcher.dispatcher import RELEASE_SECONDS
from tests.services.webhook_dispatcher.conftest import delivered, rated, settled
from tests.support.calling import state
from tests.support.endpoints import make
from tests.support.gate import gate
from tests.support.receiver import receiver
from tests.support.servers import free_port
from tests.support.services import running
from tests.support.waiting import eventually

pytestmark = pytest.mark.asyncio


@pytest_asyncio.fixture(loop_scope="session")
async def dispatch(nats_url, databases):
    """Starts a dispatcher with few slots."""

    def dispatch(**settings):
        given = {"delivery_slots": 4, "delivery_slots_each": 2, **settings}
        return running("webhook_dispatcher", nats_url, databases, **given)

    return dispatch


async def test_a_slow_receiver_has_few_open_and_does_not_hold_up_another(bus, dispatch, subscribe):
    slow_one, quick_one = ids.new(), ids.new()
    gate_of_slow = asyncio.Event()
    async with dispatch(delivery_seconds=60), receiver() as slow, receiver() as quick:
        slow.answer(gate=gate_of_slow)
        await subscribe(slow_one, slow.url)
        await subscribe(quick_one, quick.url)
        await state(bus, feedback.CREATED, *[rated(slow_one) for _ in range(16)])
        await slow.wait(2)
        await state(bus, feedback.CREATED, *[rated(quick_one) for _ in range(16)])
        await quick.wait(16)
        assert len(slow.received) == 2
        gate_of_slow.set()
        await slow.wait(16)
    assert slow.most_at_once == 2


async def test_two_dispatchers_share_the_queue(bus, dispatch, subscribe):
    workspace = ids.new()
    async with dispatch(), dispatch(), receiver() as r:
        r.answer(delay=0.02)
        await subscribe(workspace, r.url)
        for _ in range(4):
            await state(bus, feedback.CREATED, *[rated(workspace) for _ in range(50)])
        await r.wait(200)
    assert len({got.headers["webhook-id"] for got in r.received}) == len(r.received) == 200
    assert r.most_at_once > 2


async def test_a_dispatcher_that_stops_finishes_what_it_began(bus, dispatch, databases, subscribe):
    workspace = ids.new()
    async with receiver() as r:
        r.answer(delay=0.5)
        async with dispatch():
            await subscribe(workspace, r.url)
            await state(bus, feedback.CREATED, *[rated(workspace) for _ in range(3)])
            await r.wait(2)
        (reached,) = {len(r.received)}
    log = await asyncpg.connect(databases.dsn("webhook_dispatcher"))
    made = await log.fetch(
        "SELECT status_code FROM attempts JOIN deliveries ON id = delivery_id WHERE workspace_id = $1", workspace
    )
    left = await log.fetchval("SELECT count(*) FROM queue WHERE workspace_id = $1 AND claimed_until IS NULL", workspace)
    await log.close()
    assert [row["status_code"] for row in made] == [200] * reached
    assert left == 3 - reached


async def test_while_the_database_is_away_nothing_is_lost_and_nothing_is_sent_twice(
    dispatch,
    databases,
    bus,
    subscribe,
):
    workspace = ids.new()
    gate_of_first = asyncio.Event()
    async with gate(databases.dsn("webhook_dispatcher")) as way, receiver() as r:
        r.answer(gate=gate_of_first, times=2)
        async with dispatch(postgres_dsn=way.url):
            endpoint = (await subscribe(workspace, r.url)).endpoint
            await state(bus, feedback.CREATED, *[rated(workspace) for _ in range(10)])
            await r.wait(2)
            await way.shut()
            gate_of_first.set()
            await asyncio.sleep(0.5)
            assert len(r.received) == 2
            await way.open()
            await r.wait(10)
            await delivered(bus, endpoint, count=10)
    assert len({got.headers["webhook-id"] for got in r.received}) == len(r.received) == 10


async def test_a_receiver_that_drips_its_answer_is_cut_off_at_the_deadline(bus, dispatch, subscribe):
    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 600\r\n\r\n")
        try:
            for _ in range(600):
                writer.write(b".")
                await writer.drain()
                await asyncio.sleep(0.05)
        except OSError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(drip, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    async with dispatch(delivery_seconds=0.5):
        endpoint = (await subscribe(ids.new(), url)).endpoint
        await state(bus, feedback.CREATED, rated(endpoint.workspace_id))
        delivery = await settled(bus, endpoint)
    server.close()
    (attempt,) = delivery.attempts
    assert "0.5 seconds" in (attempt.error or "")
    assert 500 <= attempt.latency_ms < 20_000, "to its end it would have taken half a minute"


async def test_what_a_dispatcher_holds_is_given_back_ten_seconds_after_its_deadline_at_most(bus, dispatch, subscribe):
    async with receiver() as r:
        r.answer(delay=0.5)
        async with dispatch(delivery_seconds=3) as service:
            endpoint = (await subscribe(ids.new(), r.url)).endpoint
            await state(bus, feedback.CREATED, rated(endpoint.workspace_id))
            await r.wait(1)
            held = await service.database.fetchval(
                "SELECT extract(epoch FROM claimed_until - now())::float8 FROM queue WHERE endpoint_id = $1",
                endpoint.id,
            )
    assert 3 < held + RELEASE_SECONDS <= 3 + 10


async def test_a_workspace_has_few_open_and_does_not_hold_up_another(bus, dispatch, subscribe):
    large, small, gate_of_slow = ids.new(), ids.new(), asyncio.Event()
    settings = {"delivery_slots": 8, "delivery_slots_workspace": 3, "delivery_seconds": 60}
    async with dispatch(**settings), receiver() as slow, receiver() as quick:
        slow.answer(gate=gate_of_slow)
        for place in range(4):
            await subscribe(large, f"{slow.url}/{place}")
        await subscribe(small, quick.url)
        await state(bus, feedback.CREATED, *[rated(large) for _ in range(4)])
        await slow.wait(1)
        await state(bus, feedback.CREATED, *[rated(small) for _ in range(4)])
        await quick.wait(4)
        assert len(slow.received) <= 3
        gate_of_slow.set()
        await slow.wait(16)
    assert slow.most_at_once == 3


async def test_endpoints_that_fail_keep_to_a_lane_of_their_own(bus, dispatch, subscribe):
    dead_one, healthy_one = ids.new(), ids.new()
    async with dispatch(delivery_slots=8, delivery_slots_each=8) as service, receiver() as dead, receiver() as healthy:
        made = [(await subscribe(dead_one, f"{dead.url}/{place}")).endpoint for place in range(6)]
        await subscribe(healthy_one, healthy.url)
        await service.database.execute(
            "UPDATE endpoints SET failing_since = now() WHERE id = ANY($1)", [endpoint.id for endpoint in made]
        )
        dead.answer(500, delay=0.4)
        await state(bus, feedback.CREATED, *[rated(dead_one) for _ in range(5)])
        await dead.wait(1)
        await state(bus, feedback.CREATED, *[rated(healthy_one) for _ in range(20)])
        await healthy.wait(20)
        assert dead.most_at_once <= 2
        dead.answer()
        await dead.wait(30)


@pytest.mark.parametrize("rest", [0, 1.5], ids=["answered just now", "answered a while ago"])
async def test_a_crowd_that_refuses_is_let_in_one_by_one_and_another_workspace_waits_for_none_of_it(
    bus, dispatch, subscribe, rest
):
    crowd, healthy_one = ids.new(), ids.new()
    nobody = f"http://127.0.0.1:{free_port()}"
    async with dispatch(delivery_slots=256, delivery_slots_each=32) as service, receiver() as healthy:
        await make(service.database, crowd, [f"{nobody}/{place}" for place in range(300)])
        await subscribe(healthy_one, healthy.url)
        await state(bus, feedback.CREATED, rated(healthy_one))
        await healthy.wait(1)
        await asyncio.sleep(rest)
        await state(bus, feedback.CREATED, rated(crowd))
        await eventually(lambda: service.database.fetchval("SELECT count(*) FROM attempts WHERE error IS NOT NULL"))
        await state(bus, feedback.CREATED, rated(healthy_one))
        await healthy.wait(2)
        assert await service.database.fetchval("SELECT count(*) FROM queue WHERE attempts = 0") > 50
        await eventually(lambda: service.database.fetchval("SELECT count(*) = 0 FROM queue WHERE attempts = 0"))


async def test_while_many_hang_nothing_more_is_sent_there_and_all_that_has_come_goes_on_when_they_answer(
    bus, dispatch, subscribe
):
    hanging_one = ids.new()
    failing = "SELECT count(*) FROM endpoints WHERE workspace_id = $1 AND failing_since IS NOT NULL"
    async with dispatch(delivery_slots=16, delivery_slots_each=4) as service, receiver() as hanging:

        async def fail(count: int) -> bool:
            return await service.database.fetchval(failing, hanging_one) == count

        hanging.answer(delay=4)
        await make(service.database, hanging_one, [f"{hanging.url}/{place}" for place in range(12)])
        await state(bus, feedback.CREATED, rated(hanging_one))
        await hanging.wait(12)
        await eventually(lambda: fail(12))
        await state(bus, feedback.CREATED, rated(hanging_one))
        await asyncio.sleep(0.5)
        assert len(hanging.received) == 12
        hanging.answer()
        await hanging.wait(24)
        await eventually(lambda: fail(0))


async def test_attempts_that_are_not_answered_make_room_for_others(bus, dispatch, subscribe):
    hanging_one, healthy_one, gate_of_hanging = ids.new(), ids.new(), asyncio.Event()
    settings = {"delivery_slots": 4, "delivery_slots_each": 1, "delivery_seconds": 60}
    async with dispatch(**settings), receiver() as hanging, receiver() as healthy:
        hanging.answer(gate=gate_of_hanging)
        for place in range(8):
            await subscribe(hanging_one, f"{hanging.url}/{place}")
        await subscribe(healthy_one, healthy.url)
        await state(bus, feedback.CREATED, rated(hanging_one))
        await hanging.wait(4)
        await state(bus, feedback.CREATED, rated(healthy_one))
        await healthy.wait(1, timeout=45)
        gate_of_hanging.set()
        await hanging.wait(8)
