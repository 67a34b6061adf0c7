"""Usage, counted from the events of finished runs: each once, on its own day, for its own workspace."""

import asyncio
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import pytest

from libs.contracts import ids, runs, usage
from libs.contracts.runs import Status, Usage
from tests.support.calling import state

pytestmark = [pytest.mark.asyncio, pytest.mark.usefixtures("service")]

MONDAY, TUESDAY = datetime(2026, 3, 9, 23, 59, 59, tzinfo=UTC), datetime(2026, 3, 10, 0, 0, 0, tzinfo=UTC)
USED = Usage(10, 5, cost=700)
MARCH = date(2026, 3, 1), date(2026, 3, 31)


def finished(
    workspace: UUID,
    at: datetime,
    status: Status = Status.SUCCEEDED,
    used: Usage = USED,
    *,
    cached: bool = False,
) -> runs.RunFinished:
    return runs.RunFinished(
        workspace, ids.new(), ids.new(), status, runs.Mode.BLOCKING, "klu", "m", "p", used, at, cached=cached
    )


async def days(bus, workspace: UUID, *, until_runs: int, within: tuple[date, date] = MARCH) -> list[usage.Day]:
    """What is counted, once it is so many runs."""
    async with asyncio.timeout(60):
        while True:
            counted = await bus.call(usage.OF, usage.UsageOf(workspace, *within))
            if sum(day.runs for day in counted) >= until_runs:
                return counted
            await asyncio.sleep(0.02)


async def test_runs_and_tokens_are_counted_by_utc_day(bus):
    workspace = ids.new()
    await state(
        bus,
        runs.FINISHED,
        finished(workspace, MONDAY),
        finished(workspace, MONDAY, Status.FAILED, Usage(7, 0, cost=200)),
        finished(workspace, TUESDAY),
        finished(workspace, TUESDAY, Status.CANCELLED, Usage(3, 1)),
        finished(ids.new(), TUESDAY),
    )
    assert await days(bus, workspace, until_runs=4) == [
        usage.Day(date(2026, 3, 9), runs=2, failed=1, cached=0, prompt_tokens=17, completion_tokens=5, cost=900),
        usage.Day(
            date(2026, 3, 10), 2, failed=0, cached=0, prompt_tokens=13, completion_tokens=6, cost=700, unpriced=1
        ),
    ]


async def test_an_answer_from_the_cache_took_no_tokens(bus):
    workspace = ids.new()
    await state(bus, runs.FINISHED, finished(workspace, MONDAY, cached=True), finished(workspace, MONDAY))
    assert await days(bus, workspace, until_runs=2) == [
        usage.Day(date(2026, 3, 9), runs=2, failed=0, cached=1, prompt_tokens=10, completion_tokens=5, cost=700)
    ]


async def test_a_late_event_lands_on_its_day(bus):
    workspace = ids.new()
    await state(bus, runs.FINISHED, finished(workspace, TUESDAY))
    await days(bus, workspace, until_runs=1)
    await state(bus, runs.FINISHED, finished(workspace, MONDAY))
    assert [day.date.day for day in await days(bus, workspace, until_runs=2)] == [9, 10]


async def test_an_event_told_twice_counts_once(bus):
    workspace, event, fact = ids.new(), ids.new(), finished(ids.new(), MONDAY)
    await state(bus, runs.FINISHED, fact, id=event)
    await state(bus, runs.FINISHED, fact, id=event)
    await state(bus, runs.FINISHED, finished(workspace, MONDAY))
    await days(bus, workspace, until_runs=1)
    (day,) = await days(bus, fact.workspace_id, until_runs=1)
    assert day.runs == 1


async def test_thousands_of_runs_are_all_counted(bus):
    workspaces = [ids.new() for _ in range(5)]
    for _ in range(20):
        await state(bus, runs.FINISHED, *[finished(workspace, MONDAY) for workspace in workspaces for _ in range(20)])
    for workspace in workspaces:
        (day,) = await days(bus, workspace, until_runs=400)
        assert (day.runs, day.prompt_tokens, day.completion_tokens) == (400, 4000, 2000)


async def test_only_the_days_asked_for_are_told(bus):
    workspace = ids.new()
    await state(bus, runs.FINISHED, finished(workspace, MONDAY), finished(workspace, TUESDAY))
    await days(bus, workspace, until_runs=2)
    monday = date(2026, 3, 9)
    (only,) = await bus.call(usage.OF, usage.UsageOf(workspace, monday, monday))
    assert only.date == monday
    assert await bus.call(usage.OF, usage.UsageOf(workspace, date(2026, 3, 11), date(2026, 3, 31))) == []


async def test_what_the_runner_tells_of_a_run_is_counted(bus, run_of):
    workspace, today = ids.new(), datetime.now(UTC).date()
    await run_of(workspace)
    (day,) = await days(bus, workspace, until_runs=1, within=(today, today + timedelta(days=1)))
    assert (day.runs, day.failed, day.prompt_tokens, day.completion_tokens) == (1, 0, 12, 5)
