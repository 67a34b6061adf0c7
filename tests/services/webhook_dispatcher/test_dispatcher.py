"""Several receivers, several dispatchers, and a stop in the middle."""

import asyncpg
import pytest
import pytest_asyncio

from libs.contracts import feedback, ids
from tests.services.webhook_dispatcher.conftest import rated
from tests.support.receiver import receiver
from tests.support.services import running

pytestmark = pytest.mark.asyncio


@pytest_asyncio.fixture(loop_scope="session")
async def dispatch(nats_url, databases):
    """Another dispatcher, with few slots."""
    return lambda: running("webhook_dispatcher", nats_url, databases, delivery_slots=4, delivery_slots_each=2)


async def test_a_slow_receiver_has_few_open_and_does_not_hold_up_another(dispatch, subscribe, state):
    slow_one, quick_one = ids.new(), ids.new()
    async with dispatch(), receiver() as slow, receiver() as quick:
        slow.answer(delay=0.2)
        await subscribe(slow_one, slow.url)
        await subscribe(quick_one, quick.url)
        await state(feedback.CREATED, *[rated(slow_one) for _ in range(30)])
        await slow.wait(2)
        await state(feedback.CREATED, *[rated(quick_one) for _ in range(30)])
        await quick.wait(30)
        assert len(slow.received) < 30
        await slow.wait(30)
    assert slow.most_at_once == 2


async def test_two_dispatchers_share_the_queue(dispatch, subscribe, state):
    workspace = ids.new()
    async with dispatch(), dispatch(), receiver() as r:
        r.answer(delay=0.02)
        await subscribe(workspace, r.url)
        for _ in range(4):
            await state(feedback.CREATED, *[rated(workspace) for _ in range(50)])
        await r.wait(200)
    assert len({got.headers["webhook-id"] for got in r.received}) == len(r.received) == 200
    assert r.most_at_once > 2


async def test_a_dispatcher_that_stops_finishes_what_it_began(dispatch, databases, subscribe, state):
    workspace = ids.new()
    async with receiver() as r:
        r.answer(delay=0.5)
        async with dispatch():
            await subscribe(workspace, r.url)
            await state(feedback.CREATED, *[rated(workspace) for _ in range(3)])
            await r.wait(2)
        (reached,) = {len(r.received)}
    log = await asyncpg.connect(databases.dsn("webhook_dispatcher"))
    made = await log.fetch(
        "SELECT status_code FROM attempts JOIN deliveries ON id = delivery_id WHERE workspace_id = $1", workspace
    )
    left = await log.fetchval("SELECT count(*) FROM queue WHERE claimed_until IS NULL")
    await log.close()
    assert [row["status_code"] for row in made] == [200] * reached
    assert left == 3 - reached
