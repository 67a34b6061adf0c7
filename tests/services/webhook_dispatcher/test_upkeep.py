"""The log grows by a partition a day and forgets the days that are over."""

from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import pytest

from libs.contracts import ids
from services.webhook_dispatcher.upkeep import Upkeep

pytestmark = pytest.mark.asyncio

TABLES = ("payloads", "deliveries", "attempts")


def today() -> date:
    return datetime.now(UTC).date()


async def partitions(database, table: str) -> set[str]:
    rows = await database.fetch(
        "SELECT relname FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid WHERE inhparent = $1::regclass", table
    )
    return {row["relname"].removeprefix(f"{table}_") for row in rows}


@pytest.mark.parametrize("table", TABLES)
async def test_the_partitions_of_the_coming_days_are_there(dispatcher, table):
    coming = {f"{today() + timedelta(days=ahead):%Y%m%d}" for ahead in range(4)}
    assert coming | {"other"} <= await partitions(dispatcher.database, table)


@pytest.mark.parametrize("table", TABLES)
async def test_what_is_older_than_it_is_kept_is_dropped(dispatcher, table):
    key = {"payloads": "event_id", "deliveries": "id", "attempts": "delivery_id"}[table]
    kept, over = today() - timedelta(days=30), today() - timedelta(days=31)
    for day in (kept, over):
        await dispatcher.database.execute("SELECT make_partition_by_id($1, $2, $3)", table, key, day)
    await Upkeep(dispatcher.database, kept_days=30).once()
    there = await partitions(dispatcher.database, table)
    assert f"{kept:%Y%m%d}" in there
    assert f"{over:%Y%m%d}" not in there


async def test_rows_without_a_partition_go_when_their_time_is_up(dispatcher):
    insert = "INSERT INTO payloads VALUES ($1, 'test.ping', '')"
    await dispatcher.database.execute(insert, at(datetime.now(UTC) - timedelta(days=40)))
    await dispatcher.database.execute(insert, at(datetime.now(UTC) - timedelta(days=20)))
    await Upkeep(dispatcher.database, kept_days=30).once()
    assert await dispatcher.database.fetchval("SELECT count(*) FROM payloads_other") == 1


def at(moment: datetime) -> UUID:
    """An id of that moment."""
    now = ids.new()
    return UUID(int=int(moment.timestamp() * 1000) << 80 | now.int & (1 << 80) - 1)
