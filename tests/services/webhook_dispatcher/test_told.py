"""Of what the engine states, what nobody is told of is let go; and nothing else is."""

from datetime import UTC, datetime

import msgspec
import pytest

from libs.bus.bus import Bus
from libs.contracts import feedback, ids
from libs.contracts.subjects import Stated
from libs.runtime.service import Service
from tests.services.webhook_dispatcher.conftest import rated
from tests.support.calling import state
from tests.support.receiver import receiver
from tests.support.waiting import eventually

pytestmark = pytest.mark.asyncio


async def taken_in(bus: Bus, dispatcher: Service, *facts: feedback.FeedbackCreated) -> int:
    """States them, and waits until the dispatcher has heard them. How many of them it noted."""
    batch = [Stated(ids.new(), datetime.now(UTC), msgspec.Raw(feedback.CREATED.pack(fact))) for fact in facts]
    last = await bus.state(feedback.CREATED.name, batch, str(ids.new()))

    async def heard() -> bool:
        return (await dispatcher.bus.heard()).taken_in >= last

    await eventually(heard)
    noted = "SELECT count(*) FROM events_seen WHERE id = ANY($1)"
    return await dispatcher.database.fetchval(noted, [each.id for each in batch])


async def test_what_nobody_is_told_of_is_not_noted_until_there_is_a_webhook(bus, dispatcher, subscribe):
    workspace, mute = ids.new(), ids.new()
    async with receiver() as r:
        assert await taken_in(bus, dispatcher, rated(workspace), rated(mute)) == 0
        await subscribe(workspace, r.url, "feedback.created")
        first = rated(workspace)
        assert await taken_in(bus, dispatcher, rated(mute), first) == 2
        (got,) = await r.wait(1)
        assert msgspec.json.decode(got.body)["data"]["feedback_id"] == str(first.feedback_id)
        assert await taken_in(bus, dispatcher, rated(mute)) == 0


@pytest.mark.usefixtures("dispatcher")
async def test_the_event_that_follows_the_making_of_a_webhook_arrives_among_those_that_concern_nobody(bus, subscribe):
    async with receiver() as r:
        for _ in range(20):
            workspace = ids.new()
            await state(bus, feedback.CREATED, *[rated(ids.new()) for _ in range(20)])
            await subscribe(workspace, r.url)
            await state(bus, feedback.CREATED, rated(workspace))
        assert len(await r.wait(20)) == 20
