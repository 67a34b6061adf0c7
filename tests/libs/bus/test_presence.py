"""What a process follows is said to the holders of runs: once a second, and at once where the last reader leaves."""

import asyncio
from contextlib import aclosing

import pytest
import pytest_asyncio

from libs.bus.bus import Bus
from libs.bus.follow import Follower
from libs.contracts import feed, followers, ids, runs
from libs.contracts.faults import Code, Fault
from tests.libs.bus.holder import DONE, Holder, request, tokens
from tests.support.waiting import until

pytestmark = pytest.mark.asyncio


@pytest.fixture(autouse=True)
def _often(monkeypatch):
    monkeypatch.setattr("libs.bus.presence.SECONDS", 0.1)


@pytest_asyncio.fixture
async def said(runner: Bus) -> list[followers.Followed]:
    heard: list[followers.Followed] = []
    await runner.hear_feed(followers.FEED, heard.append)
    await runner.connection.flush()
    return heard


def left(said: list[followers.Followed]) -> list:
    return [run for each in said for run in each.left]


async def test_the_start_and_every_question_say_who_follows(holder, follower, said):
    asked = []
    answer = holder.frames

    async def noting(question: feed.AskFrames) -> list[feed.Frames]:
        asked.append(question.follower)
        return await answer(question)

    holder.frames = noting
    start = request()
    _, frames = await follower.start(start)
    await until(lambda: bool(said))
    assert {each.follower for each in said} == {holder._runs[start.run_id][0].follower}
    again = follower.follow(feed.Cursor(start.workspace_id, start.run_id))
    await again.open()
    assert holder._runs[start.run_id][0].follower.startswith("gateway-1")
    await frames.aclose()
    await again.aclose()


async def test_all_that_is_followed_is_said_in_one_message_again_and_again(holder, follower, said):
    starts = [request() for _ in range(3)]
    readers = [(await follower.start(start))[1] for start in starts]
    await until(lambda: len(said) >= 3)
    assert all(set(each.runs) == {start.run_id for start in starts} and not each.left for each in said)
    for reader in readers:
        await reader.aclose()


async def test_who_leaves_says_so_at_once(holder, follower, said, monkeypatch):
    monkeypatch.setattr("libs.bus.presence.SECONDS", 3600.0)
    start = await read_in_part(holder, follower)
    await until(lambda: bool(said))
    assert [(each.runs, each.left) for each in said] == [([], [start.run_id])]


async def test_who_has_left_says_so_once_more_and_then_falls_silent(holder, follower, said):
    start = await read_in_part(holder, follower)
    await until(lambda: len(left(said)) == 2)
    assert left(said) == [start.run_id] * 2, "a holder that was still accepting it hears it now"
    count = len(said)
    await asyncio.sleep(0.5)
    assert len(said) == count


async def read_in_part(holder: Holder, follower: Follower) -> runs.StartRun:
    """A run, of which a frame was read."""
    start = request()
    _, frames = await follower.start(start)
    await holder.emit(start, *tokens(1, 2))
    async with aclosing(frames):
        await anext(frames)
    return start


async def test_only_the_last_reader_of_a_run_leaves_it(holder, follower, said):
    start = request()
    _, one = await follower.start(start)
    other = follower.follow(feed.Cursor(start.workspace_id, start.run_id))
    await other.open()
    await one.aclose()
    await until(lambda: len(said) >= 2)
    assert not left(said)
    await other.aclose()
    await until(lambda: bool(left(said)))


async def test_a_blocking_caller_that_vanishes_leaves(holder, follower, said):
    start = request()
    holder.accept.clear()
    finishing = asyncio.ensure_future(follower.finish(start, timeout=30))
    await until(lambda: any(start.run_id in each.runs for each in said))
    finishing.cancel()
    await until(lambda: left(said) == [start.run_id, start.run_id])


async def test_a_blocking_caller_that_waited_too_long_leaves(holder, follower, said):
    start = request()
    holder.accept.clear()
    with pytest.raises(Fault):
        await follower.finish(start, timeout=0.1)
    await until(lambda: start.run_id in left(said))


async def test_nobody_is_told_of_a_run_that_has_ended_or_never_began(holder, follower, said):
    start, blocking, refused = request(), request(), request()
    _, frames = await follower.start(start)
    await holder.emit(start, *tokens(1, 1), feed.Frame(1, 2, DONE))
    assert len([frame async for frame in frames]) == 2
    await follower.finish(blocking, timeout=10)
    holder.fault = Fault(Code.INVALID, "Give a value for name.")
    for starting in (follower.start(refused), follower.finish(request(), timeout=10)):
        with pytest.raises(Fault):
            await starting
    with pytest.raises(Fault):
        await follower.follow(feed.Cursor(ids.new(), start.run_id)).open()
    await asyncio.sleep(0.3)
    assert not left(said)


async def test_a_follower_that_is_closed_leaves_all_in_messages_of_a_bounded_size(holder, follower, said, monkeypatch):
    monkeypatch.setattr("libs.bus.presence._RUNS_A_MESSAGE", 10)
    starts = [request() for _ in range(25)]
    for start in starts:
        holder.begin(start)
    readers = [follower.follow(feed.Cursor(start.workspace_id, start.run_id)) for start in starts]
    await asyncio.gather(*(reader.open() for reader in readers))
    await follower.close()
    await until(lambda: set(left(said)) == {start.run_id for start in starts})
    assert max(len(each.runs) + len(each.left) for each in said) <= 10
