"""Another gateway counts on where the one that did is gone, and nothing is let in or told twice for that."""

import asyncio
import time
from uuid import UUID

import pytest

from libs.contracts import limits
from libs.contracts.faults import Fault
from libs.contracts.limits import Kind
from libs.postgres.database import Database
from services.gateway.limits import windows
from tests.services.gateway.counting import Gateway, counting, gateways, spend, workspace
from tests.support.waiting import eventually, until

pytestmark = pytest.mark.asyncio


async def stated(database: Database, workspace_id: UUID) -> list[limits.LimitReached]:
    rows = await database.fetch("SELECT body FROM outbox WHERE subject = $1", limits.REACHED.name)
    facts = [limits.REACHED.unpack(row["body"]) for row in rows]
    return [fact for fact in facts if fact.workspace_id == workspace_id]


async def test_a_limit_that_was_reached_is_told_once_in_a_window_whoever_counts(nats_url, databases, database):
    async with gateways(nats_url, databases, 2) as two:
        spending = await workspace(database, "Told", chat_messages_per_day=5)
        await asyncio.gather(*(spend(each, spending) for each in two))
        (fact,) = await eventually(lambda: stated(database, spending))
        assert (fact.kind, fact.limit, fact.plan) == (Kind.CHAT_MESSAGES, 5, "growth")
        assert (fact.ends - fact.begins).days == 1
        before = counting(two)
        await before.limits.leave()
        await before.kill()
        after = next(each for each in two if each is not before)
        await until(lambda: after.limits.counter.counts)
        assert not await after.message(spending)
        await after.limits.counter.write()
        assert await stated(database, spending) == [fact]


@pytest.mark.parametrize("graceful", [True, pytest.param(False, marks=pytest.mark.slow)])
async def test_another_counts_on_where_the_one_that_counted_is_gone(nats_url, databases, database, graceful):
    """Clients go on through it all, and nobody is let in that should not be."""
    async with gateways(nats_url, databases, 3) as three:
        spending = await workspace(database, f"Takeover {graceful}", chat_messages_per_day=6000)
        first = counting(three)
        for each in three:
            for _ in range(400):
                assert await each.message(spending)
        await asyncio.sleep(0.8)  # over a hundredth of the limit is written down at once
        if graceful:
            await first.limits.leave()
        await first.kill()
        others = [each for each in three if each is not first]
        going_on = [asyncio.create_task(_until_counted(each, others, spending)) for each in others]
        await until(lambda: any(each.limits.lease.held for each in others), seconds=15)
        with pytest.raises(Fault, match="does not count"):
            await counting(others).limits.counter.take(_asked(spending))
        await until(lambda: any(each.limits.counter.counts for each in others), seconds=15)
        await asyncio.gather(*going_on)
        await asyncio.sleep(1.1)  # nobody has a share of its own any more
        await asyncio.gather(*(spend(each, spending) for each in others))
        total = sum(each.admitted for each in three)
        assert total <= 6060
        if graceful:
            assert total >= 5940


def _asked(workspace_id: UUID) -> limits.Take:
    """By somebody whom the one that counts has not heard yet."""
    begins, _ = windows.window(Kind.CHAT_MESSAGES, time.time())
    return limits.Take(workspace_id, Kind.CHAT_MESSAGES, begins, 6000, "gateway-other", used=0, left=0, wanted=1)


async def _until_counted(gateway: Gateway, others: list[Gateway], workspace_id: UUID) -> None:
    while not any(each.limits.counter.counts for each in others):
        await gateway.message(workspace_id)
        await asyncio.sleep(0.01)
