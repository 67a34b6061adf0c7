"""Runs whose readers leave, vanish or come back: they go on for a while, and end with what they have said."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import pytest_asyncio

from libs.blobs import Blobs
from libs.bus.bus import Bus
from libs.bus.follow import Follower
from libs.contracts import feed, followers, ids, runs
from libs.contracts.faults import Code
from libs.contracts.runs import Mode, Status
from tests.libs.bus.wire import Restartable
from tests.services.runner.conftest import Caller
from tests.support.provider import Answer
from tests.support.services import blobs_folder, running
from tests.support.waiting import until

pytestmark = pytest.mark.asyncio

LINGER = 0.6
SILENT = 1.5
# What looking twice a second adds, and a machine that stands still.
LATER = 50.0
UNSPOKEN = "nobody speaks for it"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def runner(nats_url, databases, upstream):
    settings = {"default_model_url": upstream.openai_url, "default_model_name": "small", "linger_seconds": LINGER}
    async with running("runner", nats_url, databases, **settings) as service:
        yield service


@asynccontextmanager
async def another(nats_url: str, databases) -> AsyncIterator[Follower]:
    """A follower in another process, as far as the runner can tell."""
    blobs = Blobs.open(f"file://{blobs_folder(databases.url)}")
    bus = await Bus.connect(nats_url, owner="gateway", instance="gateway-other", blobs=blobs)
    follower = Follower(bus)
    try:
        yield follower
    finally:
        await follower.close()
        await bus.close()


@pytest_asyncio.fixture
async def endless(upstream) -> AsyncIterator[None]:
    """The model says one word and then nothing more."""
    upstream.default, before = Answer(gate=asyncio.Event()), upstream.default
    yield
    upstream.default = before


async def begun(caller: Caller, upstream, follower: Follower, **more) -> tuple[runs.StartRun, "asyncio.Future"]:
    """A run that has said its first word, and is followed."""
    answering = upstream.answering
    request = caller.start(await caller.action(), **more)
    if request.mode is Mode.BLOCKING:
        following = asyncio.ensure_future(follower.finish(request, timeout=60))
    else:
        _, frames = await follower.start(request)
        following = asyncio.ensure_future(_read(frames))
    await asyncio.sleep(0)  # it reads: a task that is cancelled before its first step leaves nothing
    await until(lambda: upstream.answering > answering)
    return request, following


async def _read(frames) -> list[feed.Frame]:
    try:
        return [frame async for frame in frames]
    finally:
        await frames.aclose()


async def leave(following: "asyncio.Future") -> float:
    """Its client's connection broke; the time of it."""
    following.cancel()
    await asyncio.wait({following})
    return time.monotonic()


async def test_a_stream_goes_on_for_a_while_without_a_reader_and_ends_with_what_it_had_said(
    caller, upstream, follower, endless
):
    gone = upstream.left
    request, following = await begun(caller, upstream, follower, mode=Mode.STREAMING)
    left = await leave(following)
    await asyncio.sleep(LINGER / 2)
    status = (await caller.get(request.run_id)).status
    assert status is Status.RUNNING or time.monotonic() - left >= LINGER
    await upstream.until_left(gone + 1)
    assert LINGER <= time.monotonic() - left < LINGER + LATER
    run = await caller.ended(request.run_id)
    assert (run.status, run.output, run.usage.counted) == (Status.CANCELLED, "Hello", True)
    assert run.usage.completion_tokens > 0
    assert (run.failure.code, run.failure.retry_after) == (Code.UNAVAILABLE, 1)
    assert (await caller.frames(request.run_id)).frames[-1].body == feed.Cancelled(run.usage)


async def test_a_blocking_run_ends_with_its_caller(caller, upstream, follower, endless):
    took: list[float] = []
    while min(took, default=LINGER) >= LINGER and len(took) < 3:  # the best of three: the machine has other work
        gone = upstream.left
        request, following = await begun(caller, upstream, follower)
        left = await leave(following)
        await upstream.until_left(gone + 1)
        took.append(time.monotonic() - left)
        assert (await caller.ended(request.run_id)).status is Status.CANCELLED
    assert min(took) < LINGER


async def test_a_blocking_caller_that_leaves_before_its_run_is_accepted_is_heard_of_after(
    caller, upstream, follower, endless
):
    asked, gone = len(upstream.asked), upstream.left
    request = caller.start(await caller.action())
    following = asyncio.ensure_future(follower.finish(request, timeout=60))
    await asyncio.sleep(0)
    left = await leave(following)
    if len(upstream.asked) > asked or (await caller.frames(request.run_id)).found:
        await upstream.until_left(gone + 1)
        assert time.monotonic() - left < LATER


async def test_what_its_caller_may_ask_for_later_goes_on_to_its_end(caller, upstream, follower):
    gate = asyncio.Event()
    upstream.plays(*(Answer(gate=gate) for _ in range(3)))
    kinds = [{"mode": Mode.ASYNC}, {"mode": Mode.STREAMING, "durable": True}, {"durable": True}]
    made = [await begun(caller, upstream, follower, **more) for more in kinds]
    for _, following in made:
        await leave(following)
    await asyncio.sleep(LINGER + 0.7)
    gate.set()
    for request, _ in made:
        assert (await caller.ended(request.run_id)).status is Status.SUCCEEDED


async def test_a_reader_that_comes_back_in_time_finds_the_run_going_on(caller, upstream, follower):
    tries = 3  # where the machine stands still it comes too late
    while not (ended_well := await came_back(caller, upstream, follower)) and (tries := tries - 1):
        pass
    assert ended_well


async def came_back(caller, upstream, follower) -> bool:
    """A reader leaves three times, for less than its run lingers but for more in all. Whether the run went on."""
    gate = asyncio.Event()
    upstream.plays(Answer(gate=gate))
    request, following = await begun(caller, upstream, follower, mode=Mode.STREAMING)
    for _ in range(3):
        await leave(following)
        await asyncio.sleep(LINGER / 2)
        again = follower.follow(feed.Cursor(caller.workspace_id, request.run_id))
        await again.open()
        following = asyncio.ensure_future(_read(again))
    await asyncio.sleep(LINGER + 0.7)
    gate.set()
    return isinstance((await following)[-1].body, feed.Done)


async def test_one_of_two_processes_may_leave(caller, upstream, follower, nats_url, databases):
    gate = asyncio.Event()
    upstream.plays(Answer(gate=gate))
    async with another(nats_url, databases) as other:
        request, following = await begun(caller, upstream, follower, mode=Mode.STREAMING)
        frames = other.follow(feed.Cursor(caller.workspace_id, request.run_id))
        await frames.open()
        reading = asyncio.ensure_future(_read(frames))
        await leave(following)
        await asyncio.sleep(LINGER + 0.7)
        gate.set()
        assert isinstance((await reading)[-1].body, feed.Done)


async def test_a_stream_waits_for_its_first_reader_as_long_as_its_voice_says(caller, upstream, follower, endless):
    gone, began = upstream.left, time.monotonic()
    action = await caller.action()
    waiting = await caller.run(action, mode=Mode.STREAMING, unfollowed_seconds=LINGER + 1.5)
    for_ever = await caller.run(action, mode=Mode.STREAMING)
    read = await caller.run(action, mode=Mode.STREAMING, unfollowed_seconds=3600)
    frames = follower.follow(feed.Cursor(caller.workspace_id, read.id))
    await anext(frames)
    await frames.aclose()
    await upstream.until_left(gone + 1)
    assert time.monotonic() - began >= LINGER
    assert (await caller.ended(read.id)).status is Status.CANCELLED
    assert time.monotonic() - began < LINGER + LATER, "once it was read, it waits as any other stream"
    await upstream.until_left(gone + 2)
    assert LINGER + 1.5 <= time.monotonic() - began < LINGER + 1.5 + LATER
    assert (await caller.ended(waiting.id)).status is Status.CANCELLED
    assert (await caller.get(for_ever.id)).status is Status.RUNNING, UNSPOKEN
    await caller.cancel(for_ever.id)


async def test_the_followers_of_a_process_that_falls_silent_are_gone(caller, upstream, bus, endless, monkeypatch):
    monkeypatch.setattr("services.runner.runs.audience.SILENT_SECONDS", SILENT)
    gone = upstream.left
    action = await caller.action()
    starting = asyncio.create_task(bus.call(runs.START, caller.start(action, follower="gateway-killed"), timeout=60))
    streaming = await caller.run(action, mode=Mode.STREAMING, follower="gateway-killed")
    kept = await caller.run(action, mode=Mode.STREAMING, follower="gateway-killed")
    began = time.monotonic()

    async def speak() -> None:
        while True:
            await asyncio.sleep(0.3)
            await bus.publish(followers.FEED, "gateway-alive", followers.Followed("gateway-alive", [kept.id]))

    speaking = asyncio.create_task(speak())
    assert SILENT <= (await starting).latency_ms / 1000 < SILENT + LATER
    await upstream.until_left(gone + 2)
    assert (time.monotonic() - began) < SILENT + LINGER + LATER
    assert (await caller.ended(streaming.id)).status is Status.CANCELLED
    assert (await caller.get(kept.id)).status is Status.RUNNING
    speaking.cancel()
    await caller.cancel(kept.id)


async def test_a_word_about_a_run_that_is_not_here_is_nothing(caller, runner, bus):
    strange = followers.Followed("gateway-x", [ids.new()], [ids.new()])
    await bus.publish(followers.FEED, "gateway-x", strange)
    await bus.connection.publish(followers.FEED.of("gateway-x"), b"\xc1")
    assert (await caller.run(await caller.action())).status is Status.SUCCEEDED


@pytest.mark.slow
@pytest.mark.parametrize(("goes", "comes"), [("stop", "start"), ("pause", "wake")])
async def test_nobody_is_taken_for_gone_because_nats_was(tmp_path: Path, databases, upstream, monkeypatch, goes, comes):
    monkeypatch.setattr("services.runner.runs.audience.SILENT_SECONDS", SILENT)
    server = Restartable(tmp_path)
    settings = {"default_model_url": upstream.openai_url, "default_model_name": "small", "linger_seconds": LINGER}
    gate = asyncio.Event()
    upstream.plays(Answer(gate=gate), Answer(gate=gate))
    try:
        async with running("runner", server.url, databases, **settings), another(server.url, databases) as follower:
            caller = Caller(follower._bus)
            _, stream = await begun(caller, upstream, follower, mode=Mode.STREAMING)
            _, blocking = await begun(caller, upstream, follower)
            await asyncio.sleep(1.2)
            getattr(server, goes)()
            await asyncio.sleep(SILENT + LINGER + 1)
            getattr(server, comes)()
            await asyncio.sleep(2)
            gate.set()
            assert isinstance((await stream)[-1].body, feed.Done)
            assert (await blocking).status is Status.SUCCEEDED
    finally:
        server.stop()
