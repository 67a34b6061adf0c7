"""Group commit: adds share transactions, and a bad one fails alone."""

import asyncio

import asyncpg
import pytest
import pytest_asyncio

from libs.contracts.faults import Code, Fault
from libs.postgres.database import Connection, Database
from libs.postgres.group_commit import GroupCommit

pytestmark = pytest.mark.asyncio


async def _write(connection: Connection, numbers: list[int]) -> None:
    await connection.execute("INSERT INTO numbers SELECT unnest($1::int[])", numbers)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def numbers(runner: Database):
    await runner.execute(
        "CREATE TABLE numbers (n int PRIMARY KEY CHECK (n < 1000), xid xid8 DEFAULT pg_current_xact_id())"
    )


@pytest_asyncio.fixture
async def group(runner: Database, numbers):
    await runner.execute("TRUNCATE numbers")
    return GroupCommit(runner, _write, limit=50)


async def test_an_add_returns_once_its_row_is_there(runner: Database, group: GroupCommit[int]):
    await group.add(1)
    assert await runner.fetchval("SELECT n FROM numbers") == 1


async def test_adds_at_once_share_transactions(runner: Database, group: GroupCommit[int]):
    await asyncio.gather(*(group.add(n) for n in range(120)))
    row = await runner.fetchrow("SELECT count(*), count(DISTINCT xid) AS transactions FROM numbers")
    assert row is not None
    assert (row["count"], row["transactions"]) == (120, 3)


async def test_a_bad_row_fails_alone_with_its_own_error(runner: Database, group: GroupCommit[int]):
    outcomes = await asyncio.gather(*(group.add(n) for n in [1, 2, 5000, 3, 2, 4]), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [
        type(None),
        type(None),
        asyncpg.CheckViolationError,
        type(None),
        asyncpg.UniqueViolationError,
        type(None),
    ]
    assert await runner.fetchval("SELECT count(*) FROM numbers") == 4


async def test_a_cancelled_caller_leaves_the_others_their_answer(runner: Database, group: GroupCommit[int]):
    first, second = asyncio.ensure_future(group.add(1)), asyncio.ensure_future(group.add(2))
    await asyncio.sleep(0)
    first.cancel()
    await second
    with pytest.raises(asyncio.CancelledError):
        await first


async def test_drain_returns_once_all_is_written(runner: Database, group: GroupCommit[int]):
    adds = [asyncio.ensure_future(group.add(n)) for n in range(200)]
    await asyncio.sleep(0)
    await group.drain()
    assert await runner.fetchval("SELECT count(*) FROM numbers") == 200
    await asyncio.gather(*adds)


async def test_a_database_that_is_gone_is_every_waiters_fault(databases, numbers):
    database = await Database.connect(databases.dsn("runner"), schema="runner", pool_size=1)
    group = GroupCommit[int](database, _write)
    await database.close()
    outcomes = await asyncio.gather(*(group.add(n) for n in range(3)), return_exceptions=True)
    assert [outcome.code for outcome in outcomes if isinstance(outcome, Fault)] == [Code.UNAVAILABLE] * 3
