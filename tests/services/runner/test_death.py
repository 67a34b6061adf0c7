"""Runners that are killed, paused, cut off or stopped, and what becomes of their runs."""

import asyncio

import asyncpg
import pytest
import pytest_asyncio
from msgspec.structs import replace

from libs.bus.follow import Following
from libs.contracts import feed, runs
from libs.contracts.faults import Code
from libs.contracts.runs import Mode, Status
from tests.services.runner.conftest import Caller, eventually
from tests.support.gate import gate
from tests.support.processes import process
from tests.support.provider import Answer
from tests.support.services import running
from tests.support.waiting import until

pytestmark = pytest.mark.asyncio

TEXT = "Hello from the model."
# Five of the lease, what finding and telling may take, and a machine that stands still.
SECONDS = 40.0


def settings(upstream, **more):
    return {"default_model_url": upstream.openai_url, "default_model_name": "small", **more}


def text_of(frames: list[feed.Frame]) -> str:
    return "".join(frame.body.text for frame in frames if isinstance(frame.body, feed.Token))


@pytest_asyncio.fixture(loop_scope="session")
async def sql(databases):
    connection = await asyncpg.connect(databases.dsn("runner"))
    yield connection
    await connection.close()


async def stated(sql, run_id) -> list[Status]:
    """The outcomes that were stated of a run."""
    rows = await sql.fetch("SELECT body FROM outbox WHERE subject = $1", runs.FINISHED.name)
    facts = [runs.FINISHED.unpack(row["body"]) for row in rows]
    return [fact.status for fact in facts if fact.run_id == run_id]


async def until_written(sql, *run_ids) -> None:
    """Returns once the first word of all these runs is in the database."""

    async def written() -> int:
        rows = await sql.fetch("SELECT run_id, frames FROM run_parts WHERE run_id = ANY($1)", run_ids)
        return len({row["run_id"] for row in rows if b"Hello" in row["frames"]})

    await eventually(written, lambda count: count == len(run_ids))


async def test_a_killed_runners_runs_are_lost_to_nobody(nats_url, databases, upstream, bus, follower, sql):
    async with process("runner", nats_url, databases, **settings(upstream)) as doomed:
        caller = Caller(bus)
        action = await caller.action()
        upstream.plays(*(Answer(gate=asyncio.Event()) for _ in range(3)))
        streaming, frames = await follower.start(caller.start(action, mode=Mode.STREAMING))
        waiting = caller.start(action)
        blocking = asyncio.create_task(follower.finish(waiting, timeout=60))
        later = await caller.run(action, mode=Mode.ASYNC)
        following = follower.follow(feed.Cursor(caller.workspace_id, later.id))
        heard_of_later = [await anext(following), await anext(following)]
        await until_written(sql, streaming.id, waiting.run_id, later.id)
        async with running("runner", nats_url, databases, **settings(upstream)) as heir:
            await doomed.kill()
            async with asyncio.timeout(SECONDS):
                heard = [frame async for frame in frames]
                failed = await blocking
                heard_of_later += [frame async for frame in following]
            begun_again = await caller.get(later.id)
            kept = await caller.get(streaming.id)
            again = (await caller.frames(streaming.id)).frames

    last = heard[-1].body
    assert isinstance(last, feed.Failed)
    assert (last.failure.code, last.failure.retry_after) == (Code.UNAVAILABLE, 1)
    assert (heard[-1].attempt, text_of(heard), kept.output, kept.failure) == (2, "Hello", "Hello", last.failure)
    assert (again, kept.usage.counted) == (heard, True)
    assert (failed.status, failed.output, failed.failure) == (Status.FAILED, "Hello", last.failure)

    second = [frame for frame in heard_of_later if frame.attempt == 2]
    assert isinstance(second[0].body, feed.Restarted)
    assert [frame.n for frame in second] == list(range(1, len(second) + 1))
    assert (text_of(second), second[-1].ends) == (TEXT, True)
    assert (begun_again.status, begun_again.attempt, begun_again.holder) == (Status.SUCCEEDED, 2, heir.instance)
    for run_id, outcome in ((streaming.id, "failed"), (waiting.run_id, "failed"), (later.id, "succeeded")):
        assert await stated(sql, run_id) == [outcome]
    assert await sql.fetchval("SELECT count(*) FROM run_parts") == 0


@pytest.mark.slow
async def test_what_was_accepted_just_before_a_kill_is_run_all_the_same(nats_url, databases, upstream, bus, sql):
    chosen = settings(upstream, run_slots=2)
    async with process("runner", nats_url, databases, **chosen) as doomed:
        caller = Caller(bus)
        action = await caller.action()
        made = await asyncio.gather(*(caller.run(action, f"{n}", mode=Mode.ASYNC) for n in range(20)))
        await doomed.kill()
    async with running("runner", nats_url, databases, **chosen):
        ended = [await caller.ended(run.id) for run in made]
    assert {(run.status, run.output) for run in ended} == {(Status.SUCCEEDED, TEXT)}
    for run in made:
        assert await stated(sql, run.id) == ["succeeded"]


@pytest.mark.slow
async def test_a_paused_runner_that_wakes_says_and_writes_nothing(nats_url, databases, upstream, bus, follower, sql):
    async with process("runner", nats_url, databases, **settings(upstream)) as sleeper:
        caller = Caller(bus)
        action = await caller.action()
        go_on = asyncio.Event()
        upstream.plays(*(Answer(gate=go_on, between=0.02) for _ in range(3)))
        streaming, frames = await follower.start(caller.start(action, mode=Mode.STREAMING))
        later = await caller.run(action, mode=Mode.ASYNC)
        waiting = caller.start(action)
        blocking = asyncio.create_task(bus.call(runs.START, waiting, timeout=60))
        await until(lambda: upstream.answering == 3)
        await until_written(sql, streaming.id, later.id, waiting.run_id)
        sleeper.pause()
        async with running("runner", nats_url, databases, **settings(upstream)):
            async with asyncio.timeout(SECONDS):
                assert isinstance([frame async for frame in frames][-1].body, feed.Failed)
            ids = [streaming.id, later.id, waiting.run_id]
            # Half of what is asked of the runners goes to the one that sleeps, so it is read where it was written.
            before = await eventually(lambda: rows_of(sql, ids), lambda rows: not any_goes_on(rows))
            said: list[bytes] = []

            def overheard(message) -> None:
                said.append(message.data)

            for run_id in ids:
                await bus.connection.subscribe(feed.FEED.of(run_id), overheard)
            go_on.set()
            sleeper.wake()
            told = await blocking
            await eventually(lambda: holds_nothing(bus, streaming.holder, caller, ids), bool)
            await asyncio.sleep(0.5)
            assert await rows_of(sql, ids) == before
    assert (told.status, told.failure and told.failure.code) == (Status.FAILED, Code.UNAVAILABLE)
    assert said == []
    for run_id, outcome in zip(ids, ("failed", "succeeded", "failed"), strict=True):
        assert await stated(sql, run_id) == [outcome]
    assert await sql.fetchval("SELECT count(*) FROM run_parts") == 0


async def rows_of(sql, ids) -> list[asyncpg.Record]:
    return await sql.fetch("SELECT * FROM runs WHERE id = ANY($1) ORDER BY array_position($1, id)", ids)


def any_goes_on(rows) -> bool:
    return any(row["status"] in ("queued", "running") for row in rows)


async def holds_nothing(bus, holder, caller, ids) -> bool:
    cursors = [feed.Cursor(caller.workspace_id, run_id) for run_id in ids]
    return not any(found.found for found in await bus.call(feed.HELD, feed.AskFrames(cursors), to=holder))


@pytest.mark.slow
async def test_a_hanging_runner_swallows_no_call_that_may_be_repeated(nats_url, databases, upstream, bus, follower):
    async with process("runner", nats_url, databases, **settings(upstream)) as sleeper:
        caller = Caller(bus)
        action = await caller.action()
        old = await caller.run(action)
        async with running("runner", nats_url, databases, **settings(upstream)):
            sleeper.pause()
            upstream.plays(*(Answer(pieces=(TEXT,)) for _ in range(16)))
            later = [replace(caller.start(action, mode=Mode.ASYNC), durable=True) for _ in range(8)]
            streamed = [replace(caller.start(action, mode=Mode.STREAMING), durable=True) for _ in range(8)]
            async with asyncio.timeout(25):  # before the calls' own time is over
                read = asyncio.gather(*(caller.get(old.id) for _ in range(8)))
                accepted = asyncio.gather(*(bus.call(runs.ENQUEUE, start, timeout=30) for start in later))
                followed = await asyncio.gather(*(follower.start(start, timeout=30) for start in streamed))
                assert {run.id for run in await read} == {old.id}
                assert {run.id for run in await accepted} == {start.run_id for start in later}
            sleeper.wake()
            for _, frames in followed:
                assert text_of([frame async for frame in frames]) == TEXT
            for start in later:
                ended = await caller.ended(start.run_id)
                assert (ended.status, ended.attempt, ended.output) == (Status.SUCCEEDED, 1, TEXT)


@pytest.mark.slow
async def test_nobody_is_reaped_for_the_databases_absence(nats_url, databases, upstream, bus, follower, sql):
    async with gate(databases.dsn("runner")) as way:
        chosen = settings(upstream, postgres_dsn=way.url)
        async with running("runner", nats_url, databases, **chosen), running("runner", nats_url, databases, **chosen):
            caller = Caller(bus)
            action = await caller.action()
            go_on = asyncio.Event()
            followed: list[tuple[runs.Run, Following]] = []
            while len(followed) < 6 or len({run.holder for run, _ in followed}) < 2:  # either may be given each of them
                upstream.plays(Answer(gate=go_on))
                followed.append(await follower.start(caller.start(action, mode=Mode.STREAMING)))
            upstream.plays(Answer(gate=go_on), Answer(gate=go_on))
            later = [await caller.run(action, mode=Mode.ASYNC) for _ in range(2)]
            await until(lambda: upstream.answering == len(followed) + 2)
            await until_written(sql, *(run.id for run, _ in followed))
            await way.shut()
            await asyncio.sleep(7)
            await way.open()
            await asyncio.sleep(8)
            go_on.set()
            for run, frames in followed:
                assert text_of([frame async for frame in frames]) == TEXT
                assert (await caller.get(run.id)).status is Status.SUCCEEDED
            for run in [run for run, _ in followed] + later:
                ended = await caller.ended(run.id)
                assert (ended.status, ended.attempt, ended.output) == (Status.SUCCEEDED, 1, TEXT)
                assert await stated(sql, run.id) == ["succeeded"]


@pytest.mark.slow
async def test_a_stopping_runner_hands_its_asynchronous_runs_on(nats_url, databases, upstream, bus, sql):
    caller = Caller(bus)
    upstream.plays(Answer(gate=asyncio.Event()))
    async with running("runner", nats_url, databases, **settings(upstream)) as leaving:
        action = await caller.action()
        run = await caller.run(action, mode=Mode.ASYNC)
        await until(lambda: upstream.answering == 1)
        heir = running("runner", nats_url, databases, **settings(upstream))
        other = await heir.__aenter__()
    try:
        ended = await caller.ended(run.id)
        assert (ended.status, ended.attempt, ended.output) == (Status.SUCCEEDED, 2, TEXT)
        assert (ended.holder, leaving.instance != other.instance) == (other.instance, True)
        frames = (await caller.frames(run.id)).frames
        assert isinstance(frames[0].body, feed.Restarted)
        assert await stated(sql, run.id) == ["succeeded"]
    finally:
        await heir.__aexit__(None, None, None)


async def test_a_runner_that_finds_its_run_taken_leaves_it(nats_url, databases, upstream, bus, sql):
    """And whoever took it is dead by now."""
    async with running("runner", nats_url, databases, **settings(upstream)) as service:
        caller = Caller(bus)
        action = await caller.action()
        go_on = asyncio.Event()
        upstream.plays(Answer(gate=go_on))
        run = await caller.run(action, mode=Mode.STREAMING)
        await until_written(sql, run.id)
        await sql.execute("INSERT INTO leases VALUES ('gone', 'gone', now())")
        await sql.execute("UPDATE runs SET holder = 'gone', attempt = 2 WHERE id = $1", run.id)
        go_on.set()
        ended = await caller.ended(run.id)
        assert (ended.status, ended.attempt) == (Status.FAILED, 3)
        assert await stated(sql, run.id) == ["failed"]
        assert service.instance != ended.holder
