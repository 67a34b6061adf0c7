"""The pool: never more connections than it may have, each with one caller at a time, and none that is still at work."""

import asyncio
import random
from functools import partial
from urllib.parse import urlsplit

import asyncpg
import pytest
import pytest_asyncio

from libs.contracts.faults import Code, Fault
from libs.postgres import pool as pools
from libs.postgres.connection import Connection, connect
from libs.postgres.pool import Pool
from tests.support.proxy import proxy
from tests.support.waiting import until

pytestmark = pytest.mark.asyncio


@pytest_asyncio.fixture
async def make(databases):
    made: list[Pool] = []
    entry = partial(connect, databases.dsn("runner"), statement_cache_size=100, command_timeout=60)

    def make(most: int, **kwargs) -> Pool:
        made.append(Pool(kwargs.pop("connect", entry), most=most, **kwargs))
        return made[-1]

    yield make
    for pool in made:
        await pool.close(5)


async def pid(pool: Pool) -> int:
    connection = await pool.take(5)
    pool.give_back(connection)
    return connection.get_server_pid()


async def test_the_connection_used_last_is_used_next(make):
    pool = make(3)
    held = [await pool.take(5) for _ in range(3)]
    for connection in held:
        pool.give_back(connection)
    assert [await pid(pool) for _ in range(3)] == [held[-1].get_server_pid()] * 3
    assert (pool.use().size, pool.use().idle) == (3, 3)


async def test_whoever_waited_longest_is_next(make):
    pool = make(1)
    connection = await pool.take(5)
    order: list[int] = []

    async def use(number: int) -> None:
        taken = await pool.take(5)
        order.append(number)
        pool.give_back(taken)

    users = [asyncio.ensure_future(use(number)) for number in range(5)]
    await until(lambda: pool.use().waiting == 5)
    users[2].cancel()
    pool.give_back(connection)
    await asyncio.wait(users)
    assert order == [0, 1, 3, 4]


async def test_many_who_come_go_are_cut_off_and_break_what_they_have_leave_it_whole(make):
    pool = make(3)
    chance = random.Random(7)
    using: set[Connection] = set()
    most = 0

    async def use() -> None:
        nonlocal most
        connection = await pool.take(5)
        assert connection not in using
        assert connection.at_rest
        using.add(connection)
        most = max(most, len(using))
        try:
            match chance.randrange(5):
                case 0:
                    connection.terminate()
                case 1:
                    await connection.execute("SELECT pg_sleep(10)", timeout=0.01)
                case 2:
                    await connection.execute("BEGIN")
                case _:
                    assert await connection.fetchval("SELECT 1") == 1
        finally:
            using.discard(connection)
            pool.give_back(connection)

    users = [asyncio.ensure_future(use()) for _ in range(300)]
    while not all(user.done() for user in users):
        chance.choice(users).cancel()
        await asyncio.sleep(0.002)
    assert {type(user.exception()) for user in users if not user.cancelled()} <= {type(None), TimeoutError}
    assert most == 3
    await until(lambda: pool.use().idle == pool.use().size)
    held = [await pool.take(5) for _ in range(3)]
    assert [await connection.fetchval("SELECT 1") for connection in held] == [1, 1, 1]
    for connection in held:
        pool.give_back(connection)


async def test_a_statement_that_was_cancelled_has_ended_before_anybody_else_has_its_connection(make):
    pool = make(1)

    async def dawdle() -> None:
        connection = await pool.take(5)
        try:
            async with connection.transaction():
                await connection.execute("SELECT pg_sleep(10)")
        finally:
            pool.give_back(connection)

    dawdling = asyncio.ensure_future(dawdle())
    await until(lambda: pool.use().size == 1)
    next_one = asyncio.ensure_future(pool.take(5))
    await until(lambda: pool.use().waiting == 1)
    dawdling.cancel()
    connection = await next_one
    assert connection.at_rest
    assert await connection.fetchval("SELECT 1") == 1
    pool.give_back(connection)


async def test_one_that_does_not_come_to_rest_is_closed_and_makes_room(make, monkeypatch, databases):
    monkeypatch.setattr(pools, "_END_SECONDS", 0.1)
    server = urlsplit(databases.url)
    async with proxy(server.hostname or "", server.port or 5432) as between:
        dsn = between.before(databases.dsn("runner"))
        pool = make(1, connect=partial(connect, dsn, statement_cache_size=100, command_timeout=60))
        connection = await pool.take(5)
        first = connection.get_server_pid()
        await connection.execute("BEGIN")
        between.silence()
        pool.give_back(connection)
        await until(connection.is_closed)
        between.mend()
        assert await pid(pool) != first
        await pool.close(5)


async def test_a_line_that_does_not_move_takes_nobody_more(make):
    pool = make(1, patience=0.05)
    connection = await pool.take(5)
    waiting = asyncio.ensure_future(pool.take(5))
    await asyncio.sleep(0.1)
    with pytest.raises(Fault) as refused:
        await pool.take(5)
    assert (refused.value.code, pool.refused) == (Code.UNAVAILABLE, 1)
    pool.give_back(connection)
    pool.give_back(await waiting)


async def test_a_place_whose_connection_could_not_be_made_is_the_next_ones(make, databases):
    fails = True

    async def sometimes() -> Connection:
        await asyncio.sleep(0.02)
        if fails:
            raise ConnectionRefusedError
        return await connect(databases.dsn("runner"), statement_cache_size=0, command_timeout=60)

    pool = make(1, connect=sometimes)
    takers = [asyncio.ensure_future(pool.take(5)) for _ in range(3)]
    assert [type(each) for each in await asyncio.gather(*takers, return_exceptions=True)] == [
        ConnectionRefusedError
    ] * 3
    fails = False
    pool.give_back(await pool.take(5))


async def test_what_is_long_unused_is_closed(make, monkeypatch, databases):
    monkeypatch.setattr(pools, "_IDLE_SECONDS", 0.2)
    pool = make(3)
    for connection in [await pool.take(5) for _ in range(3)]:
        pool.give_back(connection)
    await until(lambda: pool.use().size == 0)
    assert await pid(pool) > 0


async def test_closing_waits_for_what_is_out_and_cuts_off_what_does_not_come_back(make):
    pool = make(3)
    back, kept, idle = [await pool.take(5) for _ in range(3)]
    pool.give_back(idle)
    closing = asyncio.ensure_future(pool.close(0.5))
    await until(idle.is_closed)
    with pytest.raises(Fault):
        await pool.take(5)
    assert await back.fetchval("SELECT 1") == 1
    pool.give_back(back)
    await closing
    assert kept.is_closed()
    with pytest.raises((asyncpg.InterfaceError, ConnectionError)):
        await kept.fetchval("SELECT 1")
    pool.give_back(kept)
    assert pool.use().size == 0


async def test_whoever_waits_when_it_closes_is_told(make):
    pool = make(1)
    connection = await pool.take(5)
    waiting = asyncio.ensure_future(pool.take(5))
    await until(lambda: pool.use().waiting == 1)
    closing = asyncio.ensure_future(pool.close(5))
    with pytest.raises(Fault) as told:
        await waiting
    assert told.value.code is Code.UNAVAILABLE
    pool.give_back(connection)
    await closing
