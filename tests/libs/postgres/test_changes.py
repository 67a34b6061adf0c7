"""Caches: what one process changes, every other one forgets; what can't be confirmed is looked up."""

import asyncio
from contextlib import asynccontextmanager

import pytest
import pytest_asyncio

from libs.contracts.faults import Code, Fault
from libs.postgres.changes import Cache, Changes, changed
from libs.postgres.database import Connection, Database
from tests.support.waiting import until

pytestmark = pytest.mark.asyncio


class Keys:
    """A table of keys and the cache of one process over it, which counts its looks."""

    def __init__(self, database: Database, changes: Changes, *, size: int = 10) -> None:
        self.database, self.changes = database, changes
        self.looks: list[str] = []
        self.found: list[str] = []
        self.hold = asyncio.Event()
        self.hold.set()
        self.cache: Cache[str] = changes.cache("key", self._look, size=size)

    async def _look(self, key: str) -> str | None:
        self.looks.append(key)
        found = await self.database.fetchval("SELECT owner FROM keys WHERE key = $1", key)
        self.found.append(key)
        await self.hold.wait()
        return found

    async def set(self, connection: Connection, key: str, owner: str) -> None:
        await connection.execute(
            "INSERT INTO keys VALUES ($1, $2) ON CONFLICT (key) DO UPDATE SET owner = $2", key, owner
        )
        await changed(connection, "key", key)


@asynccontextmanager
async def _process(dsn: str, *, size: int = 10):
    database = await Database.connect(dsn, schema="runner", pool_size=2)
    keys = Keys(database, Changes(database), size=size)
    running = asyncio.ensure_future(keys.changes.run())
    await until(lambda: keys.changes.fresh)
    yield keys
    running.cancel()
    await database.close()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def table(runner: Database):
    await runner.execute("CREATE TABLE keys (key text PRIMARY KEY, owner text)")


@pytest_asyncio.fixture
async def here(runner: Database, table, databases):
    await runner.execute("TRUNCATE keys")
    async with _process(databases.dsn("runner")) as keys:
        yield keys


@pytest_asyncio.fixture
async def there(here, databases):
    async with _process(databases.dsn("runner")) as keys:
        yield keys


@pytest.fixture
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was read stays fresh where the machine stands still."""
    monkeypatch.setattr("libs.postgres.changes.FRESH_SECONDS", 60.0)


@pytest.mark.usefixtures("fresh")
async def test_an_answer_is_looked_up_once_also_when_there_is_none(runner: Database, table):
    keys = Keys(runner, Changes(runner))
    async with runner.transaction() as connection:
        await keys.set(connection, "a", "ann")
    await keys.changes.read()
    assert [await keys.cache.get(key) for key in "abab"] == ["ann", None, "ann", None]
    assert keys.looks == ["a", "b"]


async def test_a_change_is_seen_by_another_process_within_a_second(here: Keys, there: Keys):
    async with here.database.transaction() as connection:
        await here.set(connection, "a", "ann")
    assert await there.cache.get("a") == "ann"
    async with here.database.transaction() as connection:
        await here.set(connection, "a", "bob")
    await asyncio.sleep(1)
    assert await there.cache.get("a") == "bob"
    assert await here.cache.get("a") == "bob"


async def test_a_change_whose_transaction_took_long_is_seen_too(here: Keys, there: Keys):
    async with here.database.transaction() as slow:
        await here.set(slow, "a", "late")
        async with here.database.transaction() as quick:
            await here.set(quick, "b", "early")
        await there.changes.read()
        assert await there.cache.get("a") is None
    await there.changes.read()
    assert await there.cache.get("a") == "late"


async def test_an_answer_read_before_a_change_and_arriving_after_it_is_not_kept(here: Keys):
    here.hold.clear()
    early = asyncio.ensure_future(here.cache.get("a"))
    await until(lambda: here.found == ["a"])
    async with here.database.transaction() as connection:
        await here.set(connection, "a", "ann")
    await here.changes.read()
    here.hold.set()
    assert await early is None
    assert await here.cache.get("a") == "ann"


@pytest.mark.usefixtures("fresh")
async def test_callers_at_once_share_one_look_and_one_that_leaves_does_not_end_it(here: Keys):
    here.hold.clear()
    callers = [asyncio.ensure_future(here.cache.get("a")) for _ in range(5)]
    await asyncio.sleep(0)
    callers[0].cancel()
    await asyncio.sleep(0)
    here.hold.set()
    assert await asyncio.gather(*callers[1:]) == [None] * 4
    assert here.looks == ["a"]


async def test_without_reads_every_answer_is_looked_up(runner: Database, table):
    keys = Keys(runner, Changes(runner))
    await keys.cache.get("a")
    await keys.cache.get("a")
    assert keys.looks == ["a", "a"]


async def test_without_a_database_there_is_no_answer(databases, table):
    async with _process(databases.dsn("runner")) as keys:
        await keys.cache.get("a")
        await keys.database.close()
        await until(lambda: not keys.changes.fresh)
        with pytest.raises(Fault) as refused:
            await keys.cache.get("a")
    assert refused.value.code is Code.UNAVAILABLE


@pytest.mark.usefixtures("fresh")
async def test_a_full_cache_forgets_what_was_asked_for_least_recently(databases, table):
    async with _process(databases.dsn("runner"), size=2) as keys:
        for key in ["a", "b", "a", "c", "a", "b"]:
            await keys.cache.get(key)
        assert keys.looks == ["a", "b", "c", "b"]


async def test_a_commit_wakes_the_other_processes(databases, table):
    nudged = asyncio.Event()

    async def nudge() -> None:
        nudged.set()

    database = await Database.connect(databases.dsn("runner"), schema="runner")
    changes = Changes(database, nudge=nudge)
    seen: list[str] = []
    changes.watch("key", seen.append)
    running = asyncio.ensure_future(changes.run())
    await until(lambda: changes.fresh)
    async with database.transaction() as connection:
        await changed(connection, "key", "a")
    await asyncio.wait_for(nudged.wait(), 60)
    assert seen == ["a"]
    running.cancel()
    await database.close()
