"""Leases: one holder at a time, by Postgres's clock and by the holder's own."""

import asyncio
import time
import uuid

import pytest

from libs.postgres.database import Database
from libs.postgres.leases import Lease
from tests.support.waiting import until

pytestmark = pytest.mark.asyncio


@pytest.fixture
def name():
    return f"lease-{uuid.uuid4()}"


async def test_of_two_only_one_holds_it(runner: Database, name: str):
    first, second = Lease(runner, name, "first"), Lease(runner, name, "second")
    assert await first.renew()
    assert not await second.renew()
    assert (first.held, second.held) == (True, False)
    assert await first.renew()


async def test_what_is_released_is_taken_at_once(runner: Database, name: str):
    first, second = Lease(runner, name, "first"), Lease(runner, name, "second")
    await first.renew()
    await first.release()
    assert not first.held
    assert await second.renew()
    assert not await first.renew()


async def test_a_holder_that_does_not_renew_lets_go_before_another_may_take_it(runner: Database, name: str):
    first, second = Lease(runner, name, "first", seconds=0.2), Lease(runner, name, "second", seconds=0.5)
    await first.renew()
    running = asyncio.ensure_future(second.run())
    await until(lambda: second.held)
    assert not first.held
    running.cancel()


async def test_a_holder_without_a_database_lets_go(databases, name: str):
    database = await Database.connect(databases.dsn("runner"), schema="runner", pool_size=1)
    lease = Lease(database, name, "first", seconds=0.3)
    running = asyncio.ensure_future(lease.run())
    await until(lambda: lease.held)
    await database.close()
    await until(lambda: not lease.held)
    assert not running.done()
    running.cancel()


async def test_a_lease_is_settled_once_held_for_its_whole_length(runner: Database, name: str):
    lease, began = Lease(runner, name, "first", seconds=0.2), time.monotonic()
    running = asyncio.ensure_future(lease.run())
    await until(lambda: lease.settled)
    assert time.monotonic() - began >= 0.2
    running.cancel()
    await until(lambda: not lease.held)
    await lease.renew()
    assert not lease.settled
