"""One function follows a run in every mode, over a feed that may lose anything."""

import asyncio
import gc
from contextlib import aclosing

import msgspec
import pytest

from libs.bus.bus import Bus
from libs.bus.follow import Follower, Following
from libs.contracts import feed, ids, runs
from libs.contracts.faults import Code, Fault
from tests.libs.bus.holder import DONE, Holder, request, tokens
from tests.libs.bus.wire import Restartable
from tests.support.waiting import until

pytestmark = pytest.mark.asyncio


def end(after: int, attempt: int = 1) -> feed.Frame:
    return feed.Frame(attempt, after + 1, DONE)


async def numbers(frames: Following) -> list[tuple[int, int]]:
    async with asyncio.timeout(60):
        return [(frame.attempt, frame.n) async for frame in frames]


def subscriptions(bus: Bus) -> int:
    return len(bus.connection._client._subs)


@pytest.fixture
def patient(monkeypatch):
    """A silence is none where the machine stands still."""
    monkeypatch.setattr("libs.bus.follow.SILENCE", 60.0)


async def test_a_run_is_followed_from_its_first_frame(holder, follower, gateway, patient):
    before = subscriptions(gateway)
    start = request()
    run, frames = await follower.start(start)
    assert (run.id, run.status) == (start.run_id, runs.Status.RUNNING)
    await holder.emit(start, *tokens(1, 50), end(50))
    assert await numbers(frames) == [(1, n) for n in range(1, 52)]
    assert holder.asked == []
    assert subscriptions(gateway) == before


async def test_frames_that_come_before_the_reply_are_kept(holder, follower):
    start = request()
    holder.accept.clear()
    starting = asyncio.ensure_future(follower.start(start))
    await until(lambda: holder._runs)
    await holder.emit(start, *tokens(1, 5), end(5))
    holder.accept.set()
    _, frames = await starting
    assert len(await numbers(frames)) == 6


async def test_a_run_that_is_not_accepted_raises_before_anything_is_yielded(holder, follower, gateway):
    before = subscriptions(gateway)
    holder.fault = Fault(Code.INVALID, "Give a value for name.", field="input.name")
    with pytest.raises(Fault) as caught:
        await follower.start(request())
    assert (caught.value.code, caught.value.field) == (Code.INVALID, "input.name")
    assert subscriptions(gateway) == before


async def test_starting_an_ended_run_again_reads_what_it_was(holder, follower):
    start = request()
    holder.begin(start)
    await holder.emit(start, *tokens(1, 3), end(3))
    run, frames = await follower.start(start)
    assert run.status == runs.Status.SUCCEEDED
    assert len(await numbers(frames)) == 4


async def test_a_resuming_reader_sees_what_follows_its_place_and_goes_on_live(holder, follower):
    start = request()
    holder.begin(start)
    await holder.emit(start, *tokens(1, 10))
    frames = follower.follow(feed.Cursor(start.workspace_id, start.run_id, 1, 4))
    await frames.open()
    await holder.emit(start, *tokens(11, 12), end(12))
    assert await numbers(frames) == [(1, n) for n in range(5, 14)]


async def test_a_reader_after_the_last_frame_ends_at_once(holder, follower):
    start = request()
    holder.begin(start)
    await holder.emit(start, *tokens(1, 3), end(3))
    assert await numbers(follower.follow(feed.Cursor(start.workspace_id, start.run_id, 1, 4))) == []


@pytest.mark.parametrize("workspace", ["another", "its own"])
async def test_a_run_that_the_workspace_does_not_have_is_not_found(holder, follower, gateway, workspace):
    before = subscriptions(gateway)
    start = request()
    if workspace == "another":
        holder.begin(start)
    with pytest.raises(Fault) as caught:
        await numbers(follower.follow(feed.Cursor(ids.new(), start.run_id)))
    assert caught.value.code == Code.NOT_FOUND
    assert subscriptions(gateway) == before


async def test_what_the_feed_drops_is_asked_for(holder, follower, patient):
    start = request()
    _, frames = await follower.start(start)
    await holder.emit(start, *tokens(1, 3))
    await holder.emit(start, *tokens(4, 6), heard=False)
    await holder.emit(start, *tokens(7, 8), end(8))
    assert await numbers(frames) == [(1, n) for n in range(1, 10)]
    assert holder.asked == [1]


async def test_a_lost_end_is_found_after_a_silence_in_one_question_for_all(holder, follower):
    for _ in range(3):  # the best of three: they fall silent at once, but where the machine stands still meanwhile
        starts = [request() for _ in range(20)]
        readers = [(await follower.start(start))[1] for start in starts]
        for start in starts:
            await holder.emit(start, *tokens(1, 2))
            await holder.emit(start, end(2), heard=False)
        assert await asyncio.gather(*(numbers(reader) for reader in readers)) == [[(1, 1), (1, 2), (1, 3)]] * 20
        if holder.asked == [20]:
            break
        holder.asked.clear()
    assert holder.asked == [20]


async def test_readers_at_one_place_of_a_run_are_told_together(holder, follower):
    start = request()
    holder.begin(start)
    await holder.emit(start, *tokens(1, 2), heard=False)
    readers = [follower.follow(feed.Cursor(start.workspace_id, start.run_id, 1, 1)) for _ in range(3)]
    for reader in readers:
        await reader.open()
    holder.asked.clear()
    await holder.emit(start, *tokens(3, 3), end(3), heard=False)
    assert await asyncio.gather(*(numbers(reader) for reader in readers)) == [[(1, 2), (1, 3), (1, 4)]] * 3
    assert holder.asked == [1]


async def test_two_readers_of_one_run_each_have_their_own_place(holder, follower):
    start = request()
    holder.begin(start)
    await holder.emit(start, *tokens(1, 6), heard=False)
    early = follower.follow(feed.Cursor(start.workspace_id, start.run_id, 1, 1))
    late = follower.follow(feed.Cursor(start.workspace_id, start.run_id, 1, 5))
    await early.open()
    await late.open()
    await holder.emit(start, *tokens(7, 8), end(8), heard=False)
    assert await asyncio.gather(numbers(early), numbers(late)) == [
        [(1, n) for n in range(2, 10)],
        [(1, n) for n in range(6, 10)],
    ]


async def test_a_later_attempt_begins_at_one_after_the_rest_of_the_former(holder, follower):
    start = request()
    _, frames = await follower.start(start)
    await holder.emit(start, *tokens(1, 2))
    await holder.emit(start, *tokens(3, 3), heard=False)
    await holder.emit(start, *tokens(1, 2, attempt=2), end(2, attempt=2))
    assert await numbers(frames) == [(1, 1), (1, 2), (1, 3), (2, 1), (2, 2), (2, 3)]


async def test_a_reader_slower_than_the_feed_loses_nothing(holder, follower, gateway):
    start = request()
    _, frames = await follower.start(start)
    wide = [msgspec.structs.replace(frame, body=feed.Token("x" * 100_000)) for frame in tokens(1, 40)]
    await holder.emit(start, *wide, end(40))
    await holder.bus.connection.flush()
    await gateway.connection.flush()
    assert await numbers(frames) == [(1, n) for n in range(1, 42)]
    assert holder.asked


async def test_a_frame_of_three_megabytes_passes(holder, follower):
    start = request()
    _, frames = await follower.start(start)
    large = feed.Frame(1, 1, feed.Token("x" * 3_000_000))
    await holder.emit(start, large, end(1))
    assert [frame async for frame in frames] == [large, end(1)]


async def test_an_unknown_kind_of_frame_is_skipped_on_the_feed_and_in_an_answer(holder, follower, runner):
    class Newer(msgspec.Struct, frozen=True, tag="from_the_future"):
        shine: int = 7

    class NewerFrame(msgspec.Struct, array_like=True):
        attempt: int
        n: int
        body: Newer = Newer()
        ends: bool = False

    start = request()
    _, frames = await follower.start(start)
    await holder.emit(start, *tokens(1, 1), NewerFrame(1, 2), *tokens(3, 3))
    await holder.emit(start, NewerFrame(1, 4), heard=False)
    await holder.emit(start, end(4))
    assert await numbers(frames) == [(1, 1), (1, 3), (1, 5)]


async def test_a_run_lost_with_its_holder_ends_its_readers(holder, follower):
    start = request()
    _, frames = await follower.start(start)
    await holder.emit(start, *tokens(1, 1))
    await anext(frames)
    holder.lose(start)
    with pytest.raises(Fault) as caught:
        await anext(frames)
    assert caught.value.code == Code.UNAVAILABLE


async def test_a_reader_that_is_closed_or_forgotten_leaves_no_subscription(holder, follower, gateway):
    before = subscriptions(gateway)
    start = request()
    _, closed = await follower.start(start)
    await holder.emit(start, *tokens(1, 3))
    async with aclosing(closed):
        async for _ in closed:
            break
    assert subscriptions(gateway) == before
    _, forgotten = await follower.start(request())
    assert subscriptions(gateway) == before + 1
    del forgotten
    gc.collect()
    await until(lambda: subscriptions(gateway) == before)


async def test_closing_the_follower_ends_those_who_wait(holder, follower):
    _, frames = await follower.start(request())
    waiting = asyncio.ensure_future(anext(frames))
    await asyncio.sleep(0)
    await follower.close()
    with pytest.raises(Fault):
        await waiting


async def test_blocking_is_the_finished_run(holder, follower):
    start = request()
    holder.accept.clear()
    finishing = asyncio.ensure_future(follower.finish(start, timeout=60))
    await until(lambda: holder._runs)
    await holder.emit(start, *tokens(1, 2), end(2))
    holder.accept.set()
    assert (await finishing).output == "1.1 1.2 "


async def test_a_blocking_run_whose_reply_is_lost_is_found_by_asking(holder, follower):
    start = request()
    holder.accept.clear()
    finishing = asyncio.ensure_future(follower.finish(start, timeout=60))
    await until(lambda: holder._runs)
    await holder.emit(start, *tokens(1, 2), end(2))
    assert (await finishing).output == "1.1 1.2 "


async def test_a_blocking_run_that_went_down_before_it_was_accepted_is_not_waited_for(holder, follower, monkeypatch):
    monkeypatch.setattr("libs.bus.follow._UNKNOWN_SECONDS", 0.1)
    start = request()
    holder.accept.clear()
    finishing = asyncio.ensure_future(follower.finish(start, timeout=60))
    await until(lambda: start.run_id in holder._runs)
    holder.lose(start)
    with pytest.raises(Fault) as caught:
        await asyncio.wait_for(finishing, 60)
    assert caught.value.code == Code.UNAVAILABLE


async def test_a_blocking_run_that_takes_too_long_is_a_timeout(holder, follower, gateway):
    holder.accept.clear()
    with pytest.raises(Fault) as caught:
        await follower.finish(request(), timeout=0.1)
    assert caught.value.code == Code.TIMEOUT


async def test_a_follow_goes_on_over_a_restart_of_nats(server: Restartable, blobs):
    runner = await Bus.connect(server.url, owner="runner", instance="runner-1", blobs=blobs)
    gateway = await Bus.connect(server.url, owner="gateway", instance="gateway-1", blobs=blobs)
    holder, follower = Holder(runner), Follower(gateway)
    await holder.serve()
    start, blocking = request(), request()
    _, frames = await follower.start(start)
    await holder.emit(start, *tokens(1, 3))
    assert [(await anext(frames)).n for _ in range(3)] == [1, 2, 3]
    holder.accept.clear()
    finishing = asyncio.ensure_future(follower.finish(blocking, timeout=60))
    await until(lambda: blocking.run_id in holder._runs)
    server.stop()
    await until(lambda: not runner.connected and not gateway.connected)
    await holder.emit(start, *tokens(4, 9))
    await holder.emit(blocking, *tokens(1, 2), end(2))
    server.start()
    await until(lambda: runner.connected and gateway.connected)
    await holder.emit(start, *tokens(10, 11), end(11))
    assert await numbers(frames) == [(1, n) for n in range(4, 13)]
    assert (await finishing).output == "1.1 1.2 "
    await follower.close()
    await asyncio.gather(gateway.close(), runner.close())
