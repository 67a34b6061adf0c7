"""Asynchronous runs: they wait in the queue, workspaces take turns, limits hold, and what waits can be ended."""

import asyncio
from collections.abc import Awaitable

import asyncpg
import pytest

from libs.contracts import actions, feed, runs
from libs.contracts.faults import Code, Fault
from libs.contracts.paging import Slice
from libs.contracts.runs import Mode, Status
from tests.services.runner.conftest import Caller, eventually
from tests.support.provider import Answer
from tests.support.services import running
from tests.support.waiting import until

pytestmark = pytest.mark.asyncio


def settings(upstream, **more):
    return {"default_model_url": upstream.openai_url, "default_model_name": "small", **more}


def questions(upstream) -> list[str]:
    return [asked.body["messages"][-1]["content"] for asked in upstream.asked]


async def forget_what_waits(databases) -> None:
    connection = await asyncpg.connect(databases.dsn("runner"))
    await connection.execute("DELETE FROM runs WHERE status = 'queued'")
    await connection.close()


async def going_on(databases) -> list[asyncpg.Record]:
    """The claimed runs of each workspace."""
    connection = await asyncpg.connect(databases.dsn("runner"))
    try:
        return await connection.fetch(
            """SELECT workspace_id, count(*) FROM runs WHERE status = 'running' AND mode = 'async'
            GROUP BY workspace_id ORDER BY 2 DESC"""
        )
    finally:
        await connection.close()


async def test_a_run_is_accepted_where_there_is_no_room_and_begins_when_there_is(nats_url, databases, upstream, bus):
    async with running("runner", nats_url, databases, **settings(upstream, run_slots=3)):
        caller = Caller(bus)
        action = await caller.action()
        gate = asyncio.Event()
        upstream.plays(Answer(gate=gate), Answer(gate=gate))
        made = [await caller.run(action, f"{n}", mode=Mode.ASYNC) for n in range(4)]
        assert {run.status for run in made} == {Status.QUEUED}
        await until(lambda: upstream.answering == 2)
        assert (await caller.get(made[3].id)).status is Status.QUEUED
        assert (await caller.frames(made[3].id)).status is Status.QUEUED
        assert await caller.run(action, "3", run_id=made[3].id, mode=Mode.ASYNC) == await caller.get(made[3].id)
        gate.set()
        for run in made:
            ended = await caller.ended(run.id)
            assert (ended.status, ended.attempt) == (Status.SUCCEEDED, 1)
        assert sorted(questions(upstream)[-4:]) == ["0", "1", "2", "3"]


async def test_one_run_of_a_workspace_does_not_wait_for_another_workspaces_many(nats_url, databases, upstream, bus):
    async with running("runner", nats_url, databases, **settings(upstream, run_slots=2)):
        busy, other = Caller(bus), Caller(bus)
        action, others = await busy.action(), await other.action()
        gate, before = asyncio.Event(), len(upstream.asked)
        upstream.plays(Answer(gate=gate))
        many = [await busy.run(action, "0", mode=Mode.ASYNC)]
        await until(lambda: upstream.answering == 1)
        many += [await busy.run(action, f"{n}", mode=Mode.ASYNC) for n in range(1, 30)]
        few = [await other.run(others, f"other {n}", mode=Mode.ASYNC) for n in range(2)]
        gate.set()
        for run in [*many, *few]:
            assert (await busy.bus.call(runs.GET, runs.GetRun(run.workspace_id, run.id))).id == run.id
            await (busy if run in many else other).ended(run.id)
        asked = questions(upstream)[before:]
        assert [asked.index("other 0"), asked.index("other 1")] == [1, 3]
        # Ids tell which is older, but for those of one millisecond.
        by_age = sorted(range(30), key=lambda n: many[n].id)
        assert [text for text in asked if not text.startswith("other")] == [str(n) for n in by_age]


async def test_one_run_is_next_though_another_workspaces_thousand_wait(nats_url, databases, upstream, bus):
    async with running("runner", nats_url, databases, **settings(upstream, run_slots=2)):
        busy, other = Caller(bus), Caller(bus)
        action, others = await busy.action(), await other.action()
        gate, before = asyncio.Event(), len(upstream.asked)
        upstream.plays(Answer(gate=gate))
        first = await busy.run(action, "0", mode=Mode.ASYNC)
        await until(lambda: upstream.answering == 1)
        for n in range(0, 1000, 100):
            await asyncio.gather(*(busy.run(action, f"{n + m}", mode=Mode.ASYNC) for m in range(100)))
        one = await other.run(others, "the one", mode=Mode.ASYNC)
        gate.set()
        assert (await other.ended(one.id)).status is Status.SUCCEEDED
        assert questions(upstream)[before + 1] == "the one"
        assert (await busy.ended(first.id)).status is Status.SUCCEEDED
        waiting = await busy.bus.call(runs.PAGE, runs.PageRuns(busy.workspace_id, slice=Slice(limit=100)))
        assert sum(run.status is Status.QUEUED for run in waiting.items) > 50
        await forget_what_waits(databases)


async def test_a_run_is_accepted_though_every_slot_of_every_runner_is_taken(nats_url, databases, upstream, bus):
    async with running("runner", nats_url, databases, **settings(upstream, run_slots=1)):
        caller = Caller(bus)
        action, gate = await caller.action(), asyncio.Event()
        upstream.plays(Answer(gate=gate))
        blocking = asyncio.create_task(caller.run(action))
        await until(lambda: upstream.answering == 1)
        assert await refusal(caller.run(action)) is Code.UNAVAILABLE
        later = await caller.run(action, mode=Mode.ASYNC)
        assert (await caller.get(later.id)).status is Status.QUEUED
        gate.set()
        assert {(await blocking).status, (await caller.ended(later.id)).status} == {Status.SUCCEEDED}


async def test_as_many_wait_as_a_workspace_may_have_waiting(nats_url, databases, upstream, bus):
    async with running("runner", nats_url, databases, **settings(upstream, run_slots=2, queued_per_workspace=3)):
        caller, other = Caller(bus), Caller(bus)
        action, others, gate = await caller.action(), await other.action(), asyncio.Event()
        upstream.plays(Answer(gate=gate))
        made = [await caller.run(action, mode=Mode.ASYNC)]
        await until(lambda: upstream.answering == 1)
        await asyncio.sleep(1.1)  # what waits is counted once a second
        made += [await caller.run(action, mode=Mode.ASYNC) for _ in range(3)]
        assert await refusal(caller.run(action, mode=Mode.ASYNC)) is Code.RATE_LIMITED
        again = await caller.run(action, run_id=made[-1].id, mode=Mode.ASYNC)
        assert again.id == made[-1].id, "what was accepted is no further one"
        made.append(await other.run(others, mode=Mode.ASYNC))
        gate.set()
        for run in made:
            assert (await (caller if run.workspace_id == caller.workspace_id else other).ended(run.id)).attempt == 1


async def refusal(asked: Awaitable[runs.Run]) -> Code | None:
    try:
        await asked
    except Fault as fault:
        return fault.code
    return None


async def test_limits_hold_over_all_runners(nats_url, databases, upstream, bus):
    chosen = settings(upstream, claimed_per_workspace=2, claimed_per_model=3)
    async with running("runner", nats_url, databases, **chosen), running("runner", nats_url, databases, **chosen):
        callers = [Caller(bus), Caller(bus)]
        made = [await caller.action() for caller in callers]
        gate = asyncio.Event()
        upstream.plays(*(Answer(gate=gate) for _ in range(12)))
        waiting = [
            (caller, await caller.run(action, mode=Mode.ASYNC))
            for _ in range(6)
            for caller, action in zip(callers, made, strict=True)
        ]
        await until(lambda: upstream.answering == 3)
        # Long enough for several looks of each runner.
        await asyncio.sleep(2.5)
        assert [count for _, count in await going_on(databases)] == [2, 1]
        assert upstream.answering == 3
        gate.set()
        for caller, run in waiting:
            assert (await caller.ended(run.id)).status is Status.SUCCEEDED


async def test_two_runners_share_what_waits_and_nothing_runs_twice(nats_url, databases, upstream, bus):
    chosen = settings(upstream, run_slots=8)
    async with running("runner", nats_url, databases, **chosen), running("runner", nats_url, databases, **chosen):
        caller = Caller(bus)
        action, before = await caller.action(), len(upstream.asked)
        upstream.plays(*(Answer(first=0.05) for _ in range(100)))
        made = await asyncio.gather(*(caller.run(action, f"{n}", mode=Mode.ASYNC) for n in range(100)))
        ended = [await caller.ended(run.id) for run in made]
        assert {(run.status, run.attempt) for run in ended} == {(Status.SUCCEEDED, 1)}
        assert sorted(map(int, questions(upstream)[before:])) == list(range(100))
        assert len({run.holder for run in ended}) == 2


async def test_what_waits_can_be_cancelled_and_fails_where_its_action_is_gone(
    nats_url, databases, upstream, bus, follower
):
    async with running("runner", nats_url, databases, **settings(upstream, run_slots=2)):
        caller = Caller(bus)
        action, another = await caller.action(), await caller.action()
        gate = asyncio.Event()
        upstream.plays(Answer(gate=gate))
        first = await caller.run(action, mode=Mode.ASYNC)
        await until(lambda: upstream.answering == 1)
        unwanted, homeless = [await caller.run(each, mode=Mode.ASYNC) for each in (action, another)]
        following = follower.follow(feed.Cursor(caller.workspace_id, homeless.id))
        await following.open()
        cancelled = await caller.cancel(unwanted.id)
        assert (cancelled.status, cancelled.output) == (Status.CANCELLED, "")
        assert [frame.body for frame in (await caller.frames(unwanted.id)).frames] == [feed.Cancelled(runs.Usage())]
        assert await caller.cancel(unwanted.id) == cancelled
        await caller.bus.call(actions.DELETE, actions.GetAction(caller.workspace_id, another.id))
        gate.set()
        assert (await caller.ended(first.id)).status is Status.SUCCEEDED
        failed = await caller.ended(homeless.id)
        assert failed.failure is not None
        assert (failed.status, failed.failure.code) == (Status.FAILED, Code.NOT_FOUND)
        assert [frame.body async for frame in following] == [feed.Failed(failed.failure)]


async def test_a_run_claimed_in_one_process_is_cancelled_from_another(nats_url, databases, upstream, bus):
    chosen = settings(upstream)
    async with running("runner", nats_url, databases, **chosen), running("runner", nats_url, databases, **chosen):
        caller = Caller(bus)
        action = await caller.action()
        upstream.plays(*(Answer(gate=asyncio.Event()) for _ in range(6)))
        made = [await caller.run(action, mode=Mode.ASYNC) for _ in range(6)]
        # Some wait, some are on their way, some go on.
        ended = await asyncio.gather(*(caller.cancel(run.id) for run in made))
        assert {run.status for run in ended} == {Status.CANCELLED}
        assert {(await caller.get(run.id)).status for run in made} == {Status.CANCELLED}
        upstream.answers.clear()

        async def left() -> int:
            return upstream.answering

        await eventually(left, lambda count: count == 0)
