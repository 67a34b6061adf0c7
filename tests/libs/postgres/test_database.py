"""The pool: what callers see of a busy server, one that is away, and one that comes back."""

import asyncio
import tempfile
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

import asyncpg
import msgspec
import pytest

from deploy.local import postgres
from libs.contracts import ids
from libs.contracts.faults import Code, Fault
from libs.postgres.database import Database
from tests.support import servers

pytestmark = pytest.mark.asyncio


async def test_an_exhausted_pool_is_a_fault_that_says_when_to_come_back(databases):
    database = await Database.connect(databases.dsn("runner"), schema="runner", pool_size=1)
    async with database.acquire():
        with pytest.raises(Fault) as refused:
            async with database.acquire(timeout=0.05):
                pass
        assert database.use().idle == 0
    assert (refused.value.code, refused.value.retry_after) == (Code.UNAVAILABLE, 1)
    assert await database.fetchval("SELECT 1") == 1
    await database.close()


async def test_the_pulse_does_not_wait_behind_work(databases):
    database = await Database.connect(databases.dsn("runner"), schema="runner", pool_size=1)
    async with database.acquire():
        assert await database.pulse.fetchval("SELECT 1") == 1
    await database.close()


async def test_values_come_back_as_they_went(runner: Database):
    id, now, value = ids.new(), datetime.now(UTC), {"a": [1, 2.5, None, {"ü": "\n"}]}
    row = await runner.fetchrow("SELECT $1::uuid AS id, $2::timestamptz AS at, $3::jsonb AS value", id, now, value)
    assert row is not None
    assert (row["id"], row["at"], row["value"]) == (id, now, value)


async def test_numbers_come_back_as_what_a_message_can_carry(runner: Database):
    numbers = {"large": 1e308, "small": [-1e20, -9.5e18], "most": 2**64 - 1, "least": -(2**63), "words": "9" * 30}
    kept = await runner.fetchval("SELECT $1::jsonb", numbers)
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(kept)) == numbers
    assert [type(kept["large"]), type(kept["most"])] == [float, int]


async def test_a_transaction_that_raises_leaves_nothing(runner: Database):
    await runner.execute("CREATE TABLE nothing (n int)")

    async def fail() -> None:
        async with runner.transaction() as connection:
            await connection.execute("INSERT INTO nothing VALUES (1)")
            raise KeyError

    with pytest.raises(KeyError):
        await fail()
    assert await runner.fetchval("SELECT count(*) FROM nothing") == 0


async def test_a_mistake_in_a_query_stays_a_mistake(runner: Database):
    with pytest.raises(asyncpg.UndefinedTableError):
        await runner.fetch("SELECT * FROM nowhere")
    with pytest.raises(asyncpg.InterfaceError):
        await runner.fetch("SELECT 1", "too many")


async def test_a_statement_that_takes_too_long_is_a_fault_and_its_connection_is_still_good(databases):
    database = await Database.connect(databases.dsn("runner"), schema="runner", pool_size=1)

    async def dawdle() -> None:
        async with database.acquire() as connection:
            await connection.execute("SELECT pg_sleep(10)", timeout=0.05)

    with pytest.raises(Fault) as late:
        await dawdle()
    assert late.value.code is Code.UNAVAILABLE
    assert await database.fetchval("SELECT 1") == 1
    await database.close()


async def test_wakers_are_called_after_the_commit_that_asked_for_it(runner: Database):
    seen: list[bool] = []
    runner.on_commit("topic", lambda: seen.append(True))
    async with runner.transaction() as connection:
        connection.wake_after("topic")
        assert seen == []
    assert seen == [True]
    async with runner.transaction():
        pass
    assert seen == [True]


async def test_a_role_of_another_schema_is_refused_with_the_remedy(databases):
    with pytest.raises(ValueError, match=r"'feedback' instead of 'runner': run deploy/postgres-roles.sql"):
        await Database.connect(databases.dsn("feedback"), schema="runner")


async def test_a_server_that_is_away_is_a_fault(databases):
    nobody = f"postgresql://runner:x@127.0.0.1:{servers.free_port()}/runner"
    with pytest.raises(Fault) as refused:
        await Database.connect(nobody, schema="runner")
    assert refused.value.code is Code.UNAVAILABLE


async def test_a_session_that_the_server_ends_is_a_fault_and_the_next_one_works(databases):
    database = await Database.connect(databases.dsn("runner"), schema="runner", pool_size=1)
    admin = await asyncpg.connect(databases.url)

    async def be_ended() -> None:
        async with database.transaction() as connection:
            await admin.execute("SELECT pg_terminate_backend($1)", connection.get_server_pid())
            await connection.execute("SELECT 1")

    with pytest.raises(Fault) as lost:
        await be_ended()
    await admin.close()
    assert lost.value.code is Code.UNAVAILABLE
    assert await database.fetchval("SELECT 1") == 1
    await database.close()


@asynccontextmanager
async def altered(databases, postgres_url: str, change: str, undo: str):
    """The database changed, with everybody thrown out; both by the administrator."""
    name = databases.url.rpartition("/")[2].partition("?")[0]
    admin = await asyncpg.connect(postgres_url)
    await admin.execute(f"ALTER DATABASE {name} {change}")
    await admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", name)
    try:
        yield
    finally:
        await admin.execute(f"ALTER DATABASE {name} {undo}")
        await admin.close()


async def test_after_a_failover_writes_are_faults_until_a_primary_is_found(databases, postgres_url):
    database = await Database.connect(databases.dsn("runner"), schema="runner", pool_size=1)
    await database.execute("CREATE TABLE written (n int)")
    standby = ("SET default_transaction_read_only = on", "RESET default_transaction_read_only")
    async with altered(databases, postgres_url, *standby):
        with suppress(Fault):  # of the connection that is lost, unless it is known to be by now
            await database.fetchval("SELECT 1")
        assert await database.fetchval("SELECT count(*) FROM written") == 0
        with pytest.raises(Fault) as refused:
            await database.execute("INSERT INTO written VALUES (1)")
    assert (refused.value.code, refused.value.retry_after) == (Code.UNAVAILABLE, 1)
    await database.execute("INSERT INTO written VALUES (1)")
    await database.close()


@pytest.mark.parametrize("closed", ["ALLOW_CONNECTIONS false", "CONNECTION LIMIT 0"])
async def test_a_database_that_lets_nobody_in_is_away(databases, postgres_url, closed: str):
    database = await Database.connect(databases.dsn("runner"), schema="runner", pool_size=1)
    async with altered(databases, postgres_url, closed, "ALLOW_CONNECTIONS true CONNECTION LIMIT -1"):
        for _ in range(3):
            with pytest.raises(Fault) as away:
                await database.fetchval("SELECT 1")
            assert away.value.code is Code.UNAVAILABLE
        with pytest.raises(Fault) as refused:
            await Database.connect(databases.dsn("runner"), schema="runner")
        assert refused.value.code is Code.UNAVAILABLE
    assert await database.fetchval("SELECT 1") == 1
    await database.close()


async def test_a_refused_password_is_told_behind_the_fault(databases):
    with pytest.raises(Fault) as refused:
        await Database.connect(databases.dsn("runner").replace("runner%20in%20tests", "x"), schema="runner")
    assert refused.value.code is Code.UNAVAILABLE
    assert "password authentication failed" in str(refused.value.__cause__)


async def test_a_statement_that_the_operator_ends_is_a_fault(runner: Database):
    with pytest.raises(Fault) as ended:
        await runner.execute("SELECT pg_cancel_backend(pg_backend_pid()), pg_sleep(20)")
    assert ended.value.code is Code.UNAVAILABLE


async def test_a_restart_of_the_server_is_survived():
    with tempfile.TemporaryDirectory() as folder:
        port = servers.free_port()
        server = postgres.start(Path(folder), port=port, password="p", fsync=False)
        await postgres.make_roles(server.url, servers.PASSWORDS)
        url = server.url.replace("postgres:p@", "runner:runner%20in%20tests@")
        database = await Database.connect(url, schema="runner")
        server.stop()
        with pytest.raises(Fault) as refused:
            await database.fetchval("SELECT 1")
        assert refused.value.code is Code.UNAVAILABLE
        server = postgres.start(Path(folder), port=port, password="p", fsync=False)
        assert await database.fetchval("SELECT 1") == 1
        assert await asyncio.gather(*(database.fetchval("SELECT 1") for _ in range(20))) == [1] * 20
        await database.close()
        server.stop()
