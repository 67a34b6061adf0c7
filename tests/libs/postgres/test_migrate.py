"""Migrations over a real schema, from packages written for the test."""

import asyncio
import sys
from pathlib import Path

import pytest
import pytest_asyncio

from libs.postgres.database import Database
from libs.postgres.migrate import MigrationError, migrate
from libs.postgres.upkeep import upkeep
from tests.support import servers

pytestmark = pytest.mark.asyncio


@pytest_asyncio.fixture
async def database(postgres_url):
    async with servers.database(postgres_url) as databases:
        database = await Database.connect(databases.dsn("runner"), schema="runner", pool_size=4)
        yield database
        await database.close()


@pytest.fixture
def package(tmp_path, monkeypatch, request):
    """A package with an empty migrations folder: its name and that folder."""
    name = f"package_{abs(hash(request.node.name))}"
    folder = tmp_path / name / "migrations"
    folder.mkdir(parents=True)
    (folder.parent / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    yield name, folder
    sys.modules.pop(name, None)


async def test_files_are_applied_in_order_once(database: Database, package: tuple[str, Path]):
    name, folder = package
    (folder / "0001_list.sql").write_text("CREATE TABLE list (word text); INSERT INTO list VALUES ('one')")
    (folder / "0002_more.sql").write_text("INSERT INTO list VALUES ('two')")
    await migrate(database, name)
    (folder / "0003_yet_more.sql").write_text("INSERT INTO list VALUES ('three')")
    await migrate(database, name)
    await migrate(database, name)
    assert [row["word"] for row in await database.fetch("SELECT word FROM list")] == ["one", "two", "three"]


async def test_processes_that_migrate_at_once_apply_each_file_once(database: Database, package: tuple[str, Path]):
    name, folder = package
    (folder / "0001_list.sql").write_text("CREATE TABLE list (word text); SELECT pg_sleep(0.05)")
    (folder / "0002_more.sql").write_text("INSERT INTO list VALUES ('one')")
    await asyncio.gather(*(migrate(database, name) for _ in range(4)))
    assert await database.fetchval("SELECT count(*) FROM list") == 1


async def test_a_file_changed_after_it_was_applied_is_refused(database: Database, package: tuple[str, Path]):
    name, folder = package
    (folder / "0001_list.sql").write_text("CREATE TABLE list (word text)")
    await migrate(database, name)
    (folder / "0001_list.sql").write_text("CREATE TABLE list (word text, number int)")
    with pytest.raises(MigrationError, match=r"0001_list.sql was changed .* put the change in a new file"):
        await migrate(database, name)


async def test_a_missing_file_is_refused(database: Database, package: tuple[str, Path]):
    name, folder = package
    (folder / "0001_list.sql").write_text("CREATE TABLE list (word text)")
    (folder / "0002_more.sql").write_text("CREATE TABLE more (word text)")
    await migrate(database, name)
    (folder / "0001_list.sql").unlink()
    with pytest.raises(MigrationError, match=r"0001_list.sql was applied but is missing"):
        await migrate(database, name)


async def test_an_older_version_starts_on_the_schema_of_a_newer_one(database: Database, package: tuple[str, Path]):
    name, folder = package
    (folder / "0001_list.sql").write_text("CREATE TABLE list (word text)")
    (folder / "0002_pre_more.sql").write_text("ALTER TABLE list ADD number int")
    await migrate(database, name)
    (folder / "0002_pre_more.sql").unlink()
    await migrate(database, name)


async def test_a_file_that_fails_is_undone_and_named(database: Database, package: tuple[str, Path]):
    name, folder = package
    (folder / "0001_list.sql").write_text("CREATE TABLE list (word text); INSERT INTO nowhere VALUES (1)")
    with pytest.raises(MigrationError, match=r"0001_list.sql failed and was undone: .*nowhere"):
        await migrate(database, name)
    assert await database.fetchval("SELECT to_regclass('list')") is None
    (folder / "0001_list.sql").write_text("CREATE TABLE list (word text)")
    await migrate(database, name)


async def test_the_coming_days_have_their_partitions_and_old_ones_go(database: Database):
    await migrate(database)
    await database.execute("SELECT make_partition_by_time('outbox', 'at', current_date - 9)")
    before = await _partitions(database)
    assert await upkeep(database)
    after = await _partitions(database)
    assert len(before - after) == 1
    assert len([name for name in after if name.startswith("outbox_2")]) == 5
    await database.execute(
        "INSERT INTO outbox (id, subject, body, at) SELECT uuid_floor(now()), '', '', now() + '3 days'"
    )


async def test_what_could_not_be_published_for_days_is_kept(database: Database):
    await migrate(database)
    await database.execute("SELECT make_partition_by_time('outbox', 'at', current_date - 9)")
    await database.execute(
        "INSERT INTO outbox (id, subject, body, at) SELECT uuid_floor(now()), '', '', now() - '9 days'::interval"
    )
    before = await _partitions(database)
    assert await upkeep(database)
    assert await _partitions(database) == before
    await database.execute("UPDATE outbox SET published_at = now()")
    assert await upkeep(database)
    assert len(before - await _partitions(database)) == 1


async def test_an_id_that_came_before_its_partition_moves_into_it(database: Database):
    await migrate(database)
    await database.execute("INSERT INTO events_seen VALUES (uuid_floor(now() + interval '5 days'))")
    await database.execute("SELECT make_partition_by_id('events_seen', 'id', (now() + interval '5 days')::date)")
    assert await database.fetchval("SELECT count(*) FROM events_seen") == 1
    assert await database.fetchval("SELECT count(*) FROM events_seen_other") == 0


async def _partitions(database: Database) -> set[str]:
    rows = await database.fetch("SELECT relname FROM pg_class WHERE relispartition AND relkind = 'r'")
    return {row["relname"] for row in rows}
