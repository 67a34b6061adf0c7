"""Calls: counted by workspace and day, and told by the outbox; those that could not be told are told later."""

import asyncio
from datetime import UTC, datetime

import pytest

from libs.contracts import calls, ids
from libs.contracts.faults import Fault
from libs.postgres.database import Database
from services.gateway.calls import Calls
from services.gateway.directory.callers import Caller

pytestmark = pytest.mark.asyncio


async def told(database: Database) -> dict:
    rows = await database.fetch("SELECT body FROM outbox WHERE subject = $1", calls.COUNTED.name)
    facts = [calls.COUNTED.unpack(row["body"]) for row in rows]
    return {(fact.workspace_id, fact.day): fact.calls for fact in facts}


async def test_requests_with_a_key_are_told_as_numbers(database):
    counted, today = Calls(database), datetime.now(UTC).date()
    busy, quiet = ids.new(), ids.new()
    for _ in range(3):
        counted.note(Caller(busy, None, ids.new()))
    counted.note(Caller(quiet, None, ids.new()))
    counted.note(Caller(quiet, ids.new(), ids.NONE, logged_in=True))
    counted.note(Caller(quiet, None, ids.NONE))
    await counted.tell()
    assert {key: number for key, number in (await told(database)).items() if key[0] in (busy, quiet)} == {
        (busy, today): 3,
        (quiet, today): 1,
    }
    rows = await database.fetchval("SELECT count(*) FROM outbox")
    await counted.tell()
    assert await database.fetchval("SELECT count(*) FROM outbox") == rows, "nothing happened since"


async def test_what_could_not_be_told_is_told_with_the_next(database, databases):
    workspace = ids.new()
    other = await Database.connect(databases.dsn("gateway"), schema="gateway", pool_size=1)
    counted = Calls(other)
    counted.note(Caller(workspace, None, ids.new()))
    async with other.acquire():
        telling = asyncio.create_task(counted.tell())
        await asyncio.sleep(0.05)
        counted.note(Caller(workspace, None, ids.new()))
        telling.cancel()
        with pytest.raises((asyncio.CancelledError, Fault)):
            await telling
    await counted.tell()
    await other.close()
    assert (await told(database))[workspace, datetime.now(UTC).date()] == 2
