"""Several runners, a full one, one that stops, and one whose servers go away."""

import asyncio
from contextlib import AsyncExitStack
from uuid import UUID

import pytest

from libs.contracts import feed, ids, runs
from libs.contracts.faults import Code, Fault
from libs.contracts.runs import Mode, Status
from tests.services.runner.conftest import Caller, eventually
from tests.support.gate import Gate
from tests.support.provider import Answer
from tests.support.services import running
from tests.support.waiting import until

pytestmark = pytest.mark.asyncio


def settings(upstream, **more):
    return {"default_model_url": upstream.openai_url, "default_model_name": "small", **more}


async def test_any_runner_knows_cancels_and_follows_what_another_holds(nats_url, databases, upstream, bus, follower):
    async with (
        running("runner", nats_url, databases, **settings(upstream)),
        running("runner", nats_url, databases, **settings(upstream)),
    ):
        caller = Caller(bus)
        action = await caller.action()
        gate = asyncio.Event()
        held: list[runs.Run] = []
        while len(held) < 12 or len({run.holder for run in held}) < 2:  # either may be given each of them
            upstream.plays(Answer(gate=gate))
            held.append(await caller.run(action, mode=Mode.STREAMING))
        for run in held[:6]:
            # Asked several times, so that both are.
            for _ in range(4):
                assert (await caller.frames(run.id)).status is Status.RUNNING
                assert (await caller.get(run.id)).id == run.id
            assert (await caller.cancel(run.id)).status is Status.CANCELLED
        following = [follower.follow(feed.Cursor(caller.workspace_id, run.id)) for run in held[6:]]
        for frames in following:
            await anext(frames)
        gate.set()
        for frames in following:
            heard = [frame.body async for frame in frames]
            assert "".join(body.text for body in heard if isinstance(body, feed.Token)) == "Hello from the model."


async def test_a_run_of_days_ago_is_resumed_from_the_database_alone(nats_url, databases, upstream, bus, follower):
    days_ago = UUID(int=ids.new().int - (5 * 24 * 3600 * 1000 << 80))
    async with running("runner", nats_url, databases, **settings(upstream)):
        caller = Caller(bus)
        upstream.plays(Answer(between=0.03))
        _, frames = await follower.start(caller.start(await caller.action(), run_id=days_ago, mode=Mode.STREAMING))
        heard = [frame async for frame in frames]
    async with running("runner", nats_url, databases, **settings(upstream)):
        for after in range(len(heard) + 1):
            rest = follower.follow(feed.Cursor(caller.workspace_id, days_ago, 1, after))
            assert [frame async for frame in rest] == heard[after:]
        with pytest.raises(Fault) as caught:
            await follower.follow(feed.Cursor(ids.new(), days_ago)).open()
        assert caught.value.code == Code.NOT_FOUND
    assert len(heard) > 3


async def test_a_durable_start_asked_of_two_runners_asks_the_model_once(nats_url, databases, upstream, bus):
    async with (
        running("runner", nats_url, databases, **settings(upstream)),
        running("runner", nats_url, databases, **settings(upstream)),
    ):
        caller = Caller(bus)
        action = await caller.action()
        asked = len(upstream.asked)
        request = caller.start(action, durable=True)
        made = await asyncio.gather(*(bus.call(runs.START, request) for _ in range(8)))
        assert {(run.id, run.status, run.output) for run in made} == {
            (request.run_id, Status.SUCCEEDED, "Hello from the model.")
        }
        assert len(upstream.asked) == asked + 1


async def test_one_start_asked_of_two_runners_has_one_outcome(nats_url, databases, upstream, bus):
    async with (
        running("runner", nats_url, databases, **settings(upstream)) as one,
        running("runner", nats_url, databases, **settings(upstream)) as two,
    ):
        caller = Caller(bus)
        action = await caller.action()
        for _ in range(10):
            request = caller.start(action, session_id=(await caller.session()).id)
            made = await asyncio.gather(*(bus.call(runs.START, request) for _ in range(4)))
            assert len({run.id for run in made}) == 1
            assert len({(run.turn, run.status) for run in made}) == 1
            assert made[0].turn is not None
            assert len({run.holder for run in made}) == 1
            assert made[0].holder in (one.instance, two.instance)


async def test_a_full_runner_leaves_its_work_to_others_and_comes_back(nats_url, databases, upstream, bus):
    async with running("runner", nats_url, databases, **settings(upstream, run_slots=2)):
        caller = Caller(bus)
        action = await caller.action()
        gate = asyncio.Event()
        upstream.plays(Answer(gate=gate), Answer(gate=gate))
        held = [await caller.run(action, mode=Mode.STREAMING) for _ in range(2)]
        with pytest.raises(Fault) as caught:
            await caller.run(action)
        assert (caught.value.code, caught.value.retry_after) == (Code.UNAVAILABLE, 1)
        async with running("runner", nats_url, databases, **settings(upstream)) as other:
            assert {(await caller.run(action)).holder for _ in range(5)} == {other.instance}
        gate.set()
        for run in held:
            await caller.ended(run.id)

        async def runs_again() -> bool:
            try:
                return (await caller.run(action)).status is Status.SUCCEEDED
            except Fault:
                return False

        assert await eventually(runs_again, bool)


async def test_a_stopping_runner_lets_its_runs_end(nats_url, databases, upstream, bus, follower):
    async with running("runner", nats_url, databases, **settings(upstream)):
        caller = Caller(bus)
        action = await caller.action()
        gate = asyncio.Event()
        upstream.plays(Answer(gate=gate), Answer(gate=gate))
        blocking = asyncio.create_task(caller.run(action))
        _, frames = await follower.start(caller.start(action, mode=Mode.STREAMING))
        await until(lambda: upstream.answering == 2)
        asyncio.get_running_loop().call_later(0.3, gate.set)
    assert (await blocking).status is Status.SUCCEEDED
    assert isinstance([frame.body async for frame in frames][-1], feed.Done)


async def test_a_stream_goes_on_while_its_runner_stops(nats_url, databases, upstream, bus, follower):
    async with running("runner", nats_url, databases, **settings(upstream)):
        caller = Caller(bus)
        gate = asyncio.Event()
        upstream.plays(Answer(gate=gate))
        _, frames = await follower.start(caller.start(await caller.action(), mode=Mode.STREAMING))
        await until(lambda: upstream.answering == 1)
        asyncio.get_running_loop().call_later(0.5, gate.set)
    heard = [frame.body async for frame in frames]
    assert isinstance(heard[-1], feed.Done)


async def test_a_run_is_read_and_cancelled_while_its_runner_stops(nats_url, databases, upstream, bus, follower):
    async with AsyncExitStack() as leaving:
        await leaving.enter_async_context(running("runner", nats_url, databases, **settings(upstream)))
        caller = Caller(bus)
        upstream.plays(*(Answer(gate=asyncio.Event()) for _ in range(2)))
        started = [caller.start(await caller.action(), mode=Mode.STREAMING) for _ in range(2)]
        held = [await bus.call(runs.START, start) for start in started]
        await until(lambda: upstream.answering == 2)
        async with running("runner", nats_url, databases, **settings(upstream)):
            stopped = asyncio.create_task(leaving.aclose())
            await asyncio.sleep(0.3)
            frames = follower.follow(feed.Cursor(caller.workspace_id, held[0].id))
            assert [(await anext(frames)).body for _ in range(2)][-1] == feed.Token("Hello")
            cancelled = await bus.call(runs.CANCEL, runs.GetRun(caller.workspace_id, held[0].id), timeout=4)
            assert cancelled.status is Status.CANCELLED
            assert isinstance((await anext(frames)).body, feed.Cancelled)
            assert not stopped.done()
            await stopped
            assert (await caller.get(held[1].id)).status is Status.FAILED


async def test_a_run_that_outlasts_its_runner_ends_with_what_it_had_said(nats_url, databases, upstream, bus, follower):
    async with running("runner", nats_url, databases, **settings(upstream, stop_seconds=4.0)):
        caller = Caller(bus)
        upstream.plays(Answer(gate=asyncio.Event()))
        run, frames = await follower.start(caller.start(await caller.action(), mode=Mode.STREAMING))
        await until(lambda: upstream.answering == 1)
    heard = [frame.body async for frame in frames]
    assert isinstance(heard[-1], feed.Failed)
    assert (heard[-1].failure.code, heard[-1].failure.retry_after) == (Code.UNAVAILABLE, 1)
    async with running("runner", nats_url, databases, **settings(upstream)):
        kept = await caller.get(run.id)
        assert (kept.status, kept.output, kept.failure) == (Status.FAILED, "Hello", heard[-1].failure)
        assert [frame.body for frame in (await caller.frames(run.id)).frames] == heard


async def test_a_run_ends_well_while_the_database_is_away_for_a_moment(nats_url, databases, upstream, bus):
    gate = Gate(databases.dsn("runner"))
    await gate.open()
    async with running("runner", nats_url, databases, **settings(upstream, postgres_dsn=gate.url)):
        caller = Caller(bus)
        action = await caller.action()
        go_on = asyncio.Event()
        upstream.plays(Answer(gate=go_on))
        started = asyncio.create_task(caller.run(action))
        await until(lambda: upstream.answering == 1)
        await gate.shut()
        go_on.set()
        await asyncio.sleep(0.3)
        assert not started.done()
        await gate.open()
        run = await started
        assert (run.status, run.output) == (Status.SUCCEEDED, "Hello from the model.")
        assert await caller.get(run.id) == run
    await gate.shut()
