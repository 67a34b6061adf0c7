"""Limits counted over several gateways together: never more than there is, and within a hundredth all of it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from urllib.parse import urlsplit
from uuid import UUID

import pytest
import pytest_asyncio

from libs.contracts import limits
from libs.contracts.faults import Code, Fault
from libs.contracts.limits import Kind
from libs.postgres.database import Database
from services.gateway.limits import permits
from tests.services.gateway.counting import Gateway, gateways, spend, workspace
from tests.support.proxy import proxy
from tests.support.waiting import eventually

pytestmark = pytest.mark.asyncio


async def until_told(gateways: list[Gateway], workspace_id: UUID, used: int) -> None:
    """Each of them says that all together have used so many."""

    async def told() -> bool:
        said = await asyncio.gather(*(each.limits.used(workspace_id, Kind.CHAT_MESSAGES) for each in gateways))
        return said == [used] * len(gateways)

    await eventually(told)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def three(databases) -> AsyncIterator[list[Gateway]]:
    async with gateways(databases, 3) as three:
        yield three


@pytest.mark.parametrize("limit", [0, 1, 7, 60])
async def test_a_small_limit_is_exact(three, database, limit):
    spending = await workspace(database, f"Exact {limit}", chat_messages_per_day=limit)
    assert sum(await asyncio.gather(*(spend(each, spending) for each in three))) == limit


async def test_a_large_limit_is_shared_by_all_and_exact_within_a_hundredth(three, database):
    spending = await workspace(database, "Exact 5000", chat_messages_per_day=5000)
    let_in = await asyncio.gather(*(spend(each, spending) for each in three))
    assert 4950 <= sum(let_in) <= 5000
    assert min(let_in) > 50, "each of them lets in what it is asked for"
    await until_told(three, spending, sum(let_in))


async def test_what_a_gateway_holds_and_does_not_use_is_a_hundredth(three, database):
    spending = await workspace(database, "Idle", chat_messages_per_day=1200)
    for each in three:
        assert await each.message(spending)
    assert 1188 <= 3 + await spend(three[0], spending) <= 1200


async def test_asking_what_was_used_changes_nothing(three, database):
    spending = await workspace(database, "Asking", chat_messages_per_day=3000)
    holding, other = three[:2]
    assert await holding.message(spending)
    assert await holding.limits.used(spending, Kind.CHAT_MESSAGES) == 1
    let_in = 1 + await spend(other, spending) + await spend(holding, spending)
    assert 2970 <= let_in <= 3000


async def test_what_has_no_limit_is_counted_too(three, database):
    spending = await workspace(database, "Unlimited", chat_messages_per_day=None)
    for each in three:
        for _ in range(10):
            assert await each.message(spending)
    await until_told(three, spending, 30)


async def test_another_limit_holds_at_once_and_what_was_held_of_the_one_before_goes_back(three, database):
    spending = await workspace(database, "Changing", chat_messages_per_day=1_000_000)
    for each in three:
        assert await each.message(spending)
    await workspace(database, "Changing", chat_messages_per_day=50)
    await asyncio.gather(*(each.changes.read() for each in three))
    assert await eventually(lambda: three[0].message(spending)), "the others have given back what they held"
    assert 4 + sum(await asyncio.gather(*(spend(each, spending) for each in three))) == 50


async def test_a_limit_that_was_reached_is_told_once_in_a_window_whoever_finds_it_so(three, database):
    spending = await workspace(database, "Told", chat_messages_per_day=5)
    await asyncio.gather(*(spend(each, spending) for each in three))
    (fact,) = await eventually(lambda: stated(database, spending))
    assert (fact.kind, fact.limit, fact.plan) == (Kind.CHAT_MESSAGES, 5, "growth")
    assert (fact.ends - fact.begins).days == 1
    await asyncio.gather(*(each.limits.books.write() for each in three))
    assert await stated(database, spending) == [fact]


async def test_what_a_gateway_has_left_is_for_the_others_when_it_ends(databases, database):
    async with gateways(databases, 2) as two:
        spending = await workspace(database, "Leaving", chat_messages_per_day=6000)
        leaving, staying = two
        assert await leaving.message(spending)
        await leaving.limits.leave()
        await leaving.kill()
        assert await spend(staying, spending) == 5999


@pytest.mark.slow
async def test_a_gateway_cut_off_from_postgres_lets_in_what_it_has_and_the_others_what_is_left(
    databases, database, monkeypatch
):
    there = urlsplit(databases.url)
    async with (
        proxy(there.hostname, there.port) as between,
        gateways(databases, 2, cut_off=between) as (cut_off, other),
    ):
        spending = await workspace(database, "Cut off", chat_messages_per_day=1200)
        for each in (cut_off, other):
            assert await each.message(spending)
        between.silence()
        with monkeypatch.context() as impatient:
            impatient.setattr(permits, "_PATIENCE", 0.5)
            with pytest.raises(Fault) as raised:
                await spend(cut_off, spending)
        assert raised.value.code is Code.UNAVAILABLE
        assert 1200 - 2 * 6 <= await spend(other, spending) + 2 <= 1200
        between.mend()

        async def refused() -> bool:
            with suppress(Fault):
                return not await cut_off.message(spending)
            return False

        await eventually(refused)
        assert 1200 - 6 <= cut_off.admitted + other.admitted <= 1200


async def stated(database: Database, workspace_id: UUID) -> list[limits.LimitReached]:
    rows = await database.fetch("SELECT body FROM outbox WHERE subject = $1", limits.REACHED.name)
    facts = [limits.REACHED.unpack(row["body"]) for row in rows]
    return [fact for fact in facts if fact.workspace_id == workspace_id]
