"""Endpoints that want their deliveries one at a time, in the order of their events."""

import asyncio
import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
import pytest_asyncio

from libs.bus.pull import Progress
from libs.contracts import deliveries, endpoints, feedback, ids
from services.webhook_dispatcher.heard import Heard
from tests.services.webhook_dispatcher.conftest import delivered, due_now, latest, rated, settled
from tests.support import processes
from tests.support.calling import state
from tests.support.receiver import Received, Receiver, receiver
from tests.support.services import running

pytestmark = pytest.mark.asyncio


@pytest_asyncio.fixture(loop_scope="session")
async def ordered(bus):
    """Makes an endpoint that wants its deliveries in order."""

    async def ordered(r: Receiver) -> endpoints.Endpoint:
        request = endpoints.CreateEndpoint(ids.new(), r.url, ["*"], ordered=True)
        return (await bus.call(endpoints.CREATE, request)).endpoint

    return ordered


async def stated(bus, endpoint: endpoints.Endpoint, count: int) -> list[UUID]:
    """Events one after the other, each in a message of its own."""
    return [await state(bus, feedback.CREATED, rated(endpoint.workspace_id)) for _ in range(count)]


def events(received: Sequence[Received]) -> list[UUID]:
    return [ids.parse(json.loads(got.body)["event_id"]) or ids.NONE for got in received]


async def first_of(bus, endpoint: endpoints.Endpoint, *, attempts: int) -> deliveries.Delivery:
    """The oldest delivery, once so many of its attempts are in the log."""
    async with asyncio.timeout(60):
        while True:
            log = sorted(await latest(bus, endpoint), key=lambda each: each.event_id)
            if log and len(log[0].attempts) == attempts:
                return log[0]
            await asyncio.sleep(0.02)


async def test_they_come_one_at_a_time_in_the_order_of_their_events_from_however_many_dispatchers(
    nats_url, databases, bus, ordered
):
    async with (
        receiver() as r,
        running("webhook_dispatcher", nats_url, databases),
        running("webhook_dispatcher", nats_url, databases),
    ):
        r.answer(delay=0.01)
        endpoint = await ordered(r)
        made = await stated(bus, endpoint, 40)
        await state(bus, feedback.CREATED, *[rated(endpoint.workspace_id) for _ in range(10)])
        await r.wait(50)
        await delivered(bus, endpoint, count=50)
    assert events(r.received)[:40] == made
    assert events(r.received) == sorted(events(r.received))
    assert r.most_at_once == 1


async def test_one_that_fails_holds_those_behind_it_until_it_arrives(bus, dispatcher, ordered):
    async with receiver() as r:
        r.answer(500, times=1)
        endpoint = await ordered(r)
        made = await stated(bus, endpoint, 3)
        first = await first_of(bus, endpoint, attempts=1)
        await asyncio.sleep(0.3)
        assert events(r.received) == made[:1]
        await due_now(dispatcher, first.id)
        await r.wait(4)
    assert events(r.received) == [made[0], *made]


async def test_one_that_has_failed_for_good_holds_nothing_any_more(bus, dispatcher, ordered):
    async with receiver() as r:
        r.answer(500, times=5)
        endpoint = await ordered(r)
        made = await stated(bus, endpoint, 3)
        for attempt in range(1, 5):
            await due_now(dispatcher, (await first_of(bus, endpoint, attempts=attempt)).id)
        await r.wait(7)
    assert events(r.received) == [made[0]] * 5 + made[1:]


@pytest.mark.usefixtures("dispatcher")
async def test_a_test_and_a_delivery_made_again_by_hand_do_not_wait_behind_it(bus, ordered):
    async with receiver() as r:
        r.answer(500, times=1)
        endpoint = await ordered(r)
        made = await stated(bus, endpoint, 2)
        await r.wait(1)
        await bus.call(deliveries.TEST, deliveries.SendTest(endpoint.workspace_id, endpoint.id))
        await r.wait(2)
        held = next(each for each in await latest(bus, endpoint) if each.event_id == made[1])
        await bus.call(deliveries.REDELIVER, deliveries.Redeliver(endpoint.workspace_id, held.id))
        await r.wait(3)
    assert [got.headers["X-KlairoAI-Event"] for got in r.received[1:]] == ["test.ping", "feedback.created"]


@pytest.mark.usefixtures("dispatcher")
async def test_order_is_wanted_and_given_up_with_what_waits(bus, subscribe):
    async with receiver() as r:
        r.answer(500)
        endpoint = (await subscribe(ids.new(), r.url)).endpoint
        await stated(bus, endpoint, 1)
        await settled(bus, endpoint)
        wanted = endpoints.UpdateEndpoint(endpoint.workspace_id, endpoint.id, ordered=True)
        assert (await bus.call(endpoints.UPDATE, wanted)).ordered
        r.answer()
        await stated(bus, endpoint, 2)
        await asyncio.sleep(0.3)
        assert len(r.received) == 1
        given_up = endpoints.UpdateEndpoint(endpoint.workspace_id, endpoint.id, ordered=False)
        assert not (await bus.call(endpoints.UPDATE, given_up)).ordered
        await r.wait(3)


@pytest.mark.slow
async def test_a_dispatcher_that_is_killed_leaves_the_order_to_the_other(nats_url, databases, bus, ordered):
    """What it had taken in comes to the other after five seconds; what is younger waits for it."""
    async with receiver() as r, running("webhook_dispatcher", nats_url, databases, delivery_seconds=5):
        r.answer(delay=0.02)
        async with processes.process("webhook_dispatcher", nats_url, databases, delivery_seconds=5) as other:
            endpoint = await ordered(r)
            made = await stated(bus, endpoint, 30)
            await r.wait(10)
            other.pause()
            made += await stated(bus, endpoint, 30)
            await asyncio.sleep(0.1)
            await other.kill()
            made += await stated(bus, endpoint, 10)
            await r.wait(70, timeout=90)
            await delivered(bus, endpoint, count=50)
    seen = events(r.received)
    assert list(dict.fromkeys(seen)) == made
    assert seen == sorted(seen)
    assert len(seen) <= 72
    assert r.most_at_once == 1


async def test_what_was_queued_by_a_moment_is_in_order_once_all_that_was_given_out_by_then_is_taken_in(dispatcher):
    told = iter([Progress(7, 4), Progress(9, 6), Progress(9, 8), Progress(9, 9), Progress(2, 1), Progress(2, 2)])

    async def progress() -> Progress:
        return next(told)

    heard, moments = Heard(dispatcher.database, progress), list[datetime]()
    for _ in range(6):
        await heard.look()
        moments.append(heard.until)
    never, again, first, both, lost, last = moments
    assert never == again < first < both == lost < last
    assert last <= datetime.now(UTC) + timedelta(seconds=1)
