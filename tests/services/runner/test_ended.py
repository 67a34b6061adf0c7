"""The frames of runs that have ended: read once for all who read on, and never told as they no longer are."""

import asyncio
from collections.abc import AsyncIterator
from uuid import UUID

import pytest
import pytest_asyncio

from libs.contracts import feed, runs
from libs.postgres.database import Database
from services.runner.runs import ended
from services.runner.runs.ended import Ended
from services.runner.store import runs as stored

pytestmark = pytest.mark.asyncio


class Reading:
    """What Postgres has of runs, asked for as a reader's question is answered."""

    def __init__(self, database: Database) -> None:
        self.database, self._ended = database, Ended(database)

    async def frames(self, *ids: UUID) -> dict[UUID, list[feed.Frame]]:
        standing = await stored.standing(self.database, list(ids))
        return await self._ended.of(list(standing.values()))


@pytest_asyncio.fixture(loop_scope="session")
async def reading(databases, runner) -> AsyncIterator[Reading]:
    database = await Database.connect(databases.dsn("runner"), schema="runner", pool_size=4)
    yield Reading(database)
    await database.close()


def text_of(frames: list[feed.Frame]) -> str:
    return "".join(frame.body.text for frame in frames if isinstance(frame.body, feed.Token))


async def test_all_who_read_an_answer_at_once_share_what_was_read_once(caller, reading) -> None:
    run = await caller.run(await caller.action())
    answers = await asyncio.gather(*(reading.frames(run.id) for _ in range(20)))
    assert text_of(answers[0][run.id]) == run.output
    assert all(answer[run.id] is answers[0][run.id] for answer in answers)


async def test_a_corrected_answer_is_told_as_it_is_now(caller, reading) -> None:
    run = await caller.run(await caller.action())
    await reading.frames(run.id)
    await caller.bus.call(runs.AMEND, runs.AmendRun(caller.workspace_id, run.id, output="Rather this."))
    assert text_of((await reading.frames(run.id))[run.id]) == "Rather this."


async def test_a_deleted_run_is_gone_at_once(caller, reading) -> None:
    run = await caller.run(await caller.action())
    standing = await stored.standing(reading.database, [run.id])
    await reading.frames(run.id)
    await caller.bus.call(runs.DELETE, runs.GetRun(caller.workspace_id, run.id))
    assert await reading.frames(run.id) == {}
    assert await Ended(reading.database).of(list(standing.values())) == {}, "it went between the two questions"


async def test_what_was_read_longest_ago_makes_room(caller, reading, monkeypatch) -> None:
    action = await caller.action()
    first, second = [(await caller.run(action)).id for _ in range(2)]
    monkeypatch.setattr(ended, "MOST_KEPT", 1)
    before = await reading.frames(first)
    assert (await reading.frames(first))[first] is before[first], "one is kept, however long it is"
    await reading.frames(second)
    again = await reading.frames(first)
    assert again == before
    assert again[first] is not before[first]
