"""One gateway from minute to minute, by a clock that a test sets."""

import asyncio
import time
from collections.abc import AsyncIterator
from uuid import UUID

import pytest
import pytest_asyncio

from libs.contracts import ids
from libs.contracts.limits import Kind
from libs.postgres.changes import Changes
from libs.postgres.database import Database
from services.gateway.directory.callers import Caller
from services.gateway.limits.limits import Limits
from services.gateway.limits.permits import Standing
from services.gateway.plans.plans import Plans
from tests.services.gateway.counting import workspace
from tests.support.waiting import eventually

pytestmark = pytest.mark.asyncio

_MINUTE = 1_800_000_000


class Clock:
    """`seconds` after the minute began."""

    seconds = 0.0

    def time(self) -> float:
        return _MINUTE + self.seconds


@pytest.fixture
def clock(monkeypatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(time, "time", clock.time)
    return clock


@pytest_asyncio.fixture(loop_scope="session")
async def limits(database) -> AsyncIterator[Limits]:
    """Of a gateway that is alone. What it does once a second it does where a test says so."""
    changes = Changes(database)
    limits = Limits(database, "gateway-of-this-test", Plans(database, changes), changes)
    await limits.company.call()
    assert limits.company.size == 1
    yield limits
    await limits.leave()


async def ask(limits: Limits, workspace_id: UUID) -> Standing:
    return await limits.request(Caller(workspace_id=workspace_id, account_id=None, key_id=ids.NONE))


async def given(database: Database, workspace_id: UUID, minute: int) -> int:
    """How many permits of a minute are out."""
    sql = "SELECT given FROM permits WHERE workspace_id = $1 AND kind = $2 AND begins = to_timestamp($3)"
    return await database.fetchval(sql, workspace_id, Kind.REQUESTS, _MINUTE + 60 * minute) or 0


async def test_who_is_busy_as_a_minute_ends_has_the_first_block_of_the_next(database, limits, clock):
    busy, idle = [await workspace(database, name) for name in ("Busy", "Idle")]
    await ask(limits, busy)
    await ask(limits, idle)
    await limits.books.write()
    clock.seconds = 58.5
    await ask(limits, busy)
    await limits.books.write()
    out = await eventually(lambda: given(database, busy, 1))
    assert await given(database, idle, 1) == 0
    clock.seconds = 60
    assert (await ask(limits, busy)).remaining == 299
    assert await given(database, busy, 1) == out, "it did not have to ask"
    await limits.books.write()
    assert await limits.used(busy, Kind.REQUESTS) == 1


async def test_a_request_that_waits_as_its_minute_ends_counts_in_the_next(database, limits, clock):
    waiting = await workspace(database, "Waiting", requests_per_minute=1)
    clock.seconds = 59
    async with database.transaction() as connection:
        await connection.execute("LOCK TABLE permits")
        request = asyncio.create_task(ask(limits, waiting))
        await eventually(lambda: waits_for_a_lock(database))
        clock.seconds = 60
    assert (await request).ends == _MINUTE + 120
    assert not (await ask(limits, waiting)).admitted


async def test_those_who_come_as_permits_come_share_them_with_those_who_wait(database, limits):
    """In one turn of the loop some find a permit, and the next finds none left and nobody asking."""
    sought = await workspace(database, "Sought", chat_messages_per_day=100)

    async def client(turns: int) -> int:
        let_in = 0
        for _ in range(turns):
            await asyncio.sleep(0)
            standing = await limits.message(sought)
            let_in += standing is None or standing.admitted
        return let_in

    async with asyncio.timeout(60):
        assert sum(await asyncio.gather(*(client(turns) for turns in range(20)))) == 100


async def waits_for_a_lock(database: Database) -> bool:
    return await database.fetchval("SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)")
