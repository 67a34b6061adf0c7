"""A call ends with its reply or a Fault, never in silence."""

import asyncio

import msgspec
import pytest

from libs.bus import deadline
from libs.bus.bus import Bus
from libs.contracts.faults import Code, Fault
from libs.contracts.subjects import Rpc
from libs.runtime import logs
from tests.libs.bus.wire import ECHO, READ, RELAYED, Echo, echo
from tests.support.waiting import until

pytestmark = pytest.mark.asyncio


async def same(request: Echo) -> Echo:
    return request


async def test_a_call_returns_the_reply(runner, gateway):
    await runner.serve(ECHO, same)
    request = echo("hello")
    assert await gateway.call(ECHO, request) == request


async def test_a_fault_reaches_the_caller_as_it_is(runner, gateway):
    async def refuse(_: Echo) -> Echo:
        raise Fault(Code.RATE_LIMITED, "Too fast.", field="text", retry_after=2.5)

    await runner.serve(ECHO, refuse)
    with pytest.raises(Fault) as caught:
        await gateway.call(ECHO, echo())
    fault = caught.value
    assert (fault.code, fault.message, fault.field, fault.retry_after) == (Code.RATE_LIMITED, "Too fast.", "text", 2.5)


async def test_an_unexpected_exception_is_logged_once_and_reads_internal(runner, gateway, caplog):
    async def break_down(_: Echo) -> Echo:
        logs_seen.append((logs.request_id.get(), logs.workspace_id.get()))
        raise RuntimeError("the secret cause")

    logs_seen: list[tuple[str, str]] = []
    await runner.serve(ECHO, break_down)
    request = echo()
    token = logs.request_id.set("req-7")
    with pytest.raises(Fault) as caught:
        await gateway.call(ECHO, request)
    logs.request_id.reset(token)
    assert caught.value.code == Code.INTERNAL
    assert "secret" not in caught.value.message
    assert [record.exc_info[1].args for record in caplog.records if record.exc_info] == [("the secret cause",)]
    assert logs_seen == [("req-7", str(request.workspace_id))]


async def test_a_handler_whose_work_was_cancelled_still_answers(runner, gateway):
    async def wait_for_what_is_cancelled(_: Echo) -> Echo:
        work = asyncio.ensure_future(asyncio.sleep(60))
        asyncio.get_running_loop().call_soon(work.cancel)
        await work
        return echo()

    await runner.serve(ECHO, wait_for_what_is_cancelled)
    with pytest.raises(Fault) as caught:
        await gateway.call(ECHO, echo())
    assert caught.value.code == Code.UNAVAILABLE


async def test_a_request_that_can_t_be_read_is_malformed(runner, gateway):
    class Other(msgspec.Struct, frozen=True):
        workspace_id: int

    await runner.serve(ECHO, same)
    stranger = Rpc.__new__(Rpc)
    stranger.__dict__ |= ECHO.__dict__
    with pytest.raises(Fault) as caught:
        await gateway.call(stranger, Other(7))
    assert caught.value.code == Code.MALFORMED
    assert "workspace_id" in caught.value.message


async def test_nobody_there_is_unavailable_at_once(gateway):
    with pytest.raises(Fault) as caught:
        await gateway.call(ECHO, echo(), timeout=60)
    assert (caught.value.code, caught.value.retry_after) == (Code.UNAVAILABLE, 1)


async def test_no_answer_in_time_is_a_timeout(runner, gateway):
    async def sleep(_: Echo) -> Echo:
        await asyncio.sleep(60)
        return echo()

    await runner.serve(ECHO, sleep)
    with pytest.raises(Fault) as caught:
        await gateway.call(ECHO, echo(), timeout=0.05)
    assert caught.value.code == Code.TIMEOUT


async def test_a_reading_question_that_one_process_swallows_is_put_to_another(nats_url, blobs, runner, gateway):
    other = await Bus.connect(nats_url, owner="runner", instance="runner-2", blobs=blobs)
    swallowed: list[str] = []

    async def swallow(request: Echo) -> Echo:
        swallowed.append(request.text)
        await asyncio.sleep(60)
        return request

    hanging = [await runner.serve(rpc, swallow) for rpc in (READ, ECHO)]
    reading = asyncio.create_task(gateway.call(READ, echo("reading")))
    changing = asyncio.create_task(gateway.call(ECHO, echo("changing"), timeout=2.0))
    await until(lambda: len(swallowed) == 2)
    await asyncio.gather(*(served.pause() for served in hanging))
    heard_elsewhere = await other.serve(ECHO, same)
    await other.serve(READ, same)
    assert (await reading).text == "reading"
    with pytest.raises(Fault) as caught:
        await changing
    assert (caught.value.code, heard_elsewhere.busy, sorted(swallowed)) == (Code.TIMEOUT, 0, ["changing", "reading"])
    await other.close()


async def test_who_is_asked_again_when_nobody_listens_any_more_is_still_waited_for(runner, gateway):
    async def slow(request: Echo) -> Echo:
        await asyncio.sleep(1.5)
        return request

    served = await runner.serve(READ, slow)
    asked = asyncio.create_task(gateway.call(READ, request := echo("slow")))
    await until(lambda: served.busy == 1)
    await served.pause()
    assert await asked == request


async def test_one_instance_can_be_asked(runner, gateway):
    await runner.serve(ECHO, same, instance=True)
    request = echo()
    assert await gateway.call(ECHO, request, to="runner-1") == request
    with pytest.raises(Fault) as caught:
        await gateway.call(ECHO, request, to="runner-2")
    assert caught.value.code == Code.UNAVAILABLE


async def test_only_the_owner_serves_and_only_those_who_may_call(runner, gateway):
    with pytest.raises(ValueError, match="served by runner"):
        await gateway.serve(ECHO, same)
    foreign = Rpc.__new__(Rpc)
    foreign.__dict__ |= ECHO.__dict__ | {"owner": "gateway"}
    with pytest.raises(ValueError, match="may not call"):
        await runner.call(foreign, echo())


@pytest.mark.parametrize("size", [256 * 1024 - 64, 256 * 1024 + 1, 3_000_000, 5_000_000, 9_000_000])
async def test_any_size_passes_both_ways(runner, gateway, size, blobs_folder):
    await runner.serve(ECHO, same)
    request = echo("x" * size)
    assert await gateway.call(ECHO, request) == request
    await until(lambda: not any(path.is_file() for path in blobs_folder.rglob("*")))


async def test_a_large_request_that_nobody_hears_leaves_no_blob(gateway, blobs_folder):
    with pytest.raises(Fault):
        await gateway.call(ECHO, echo("x" * 1_000_000))
    await until(lambda: not any(path.is_file() for path in blobs_folder.rglob("*")))


async def test_a_nested_call_waits_no_longer_than_its_caller(runner, gateway):
    left: list[float] = []

    async def ask_again(request: Echo) -> Echo:
        left.append(deadline.remaining(60))
        return await runner.call(RELAYED, request, timeout=60)

    async def note(request: Echo) -> Echo:
        left.append(deadline.remaining(60))
        return request

    await runner.serve(ECHO, ask_again)
    await runner.serve(RELAYED, note)
    await gateway.call(ECHO, echo(), timeout=50)
    assert 50 >= left[0] >= left[1] > 0


async def test_work_that_outlives_its_request_is_not_bound_by_its_deadline(runner, gateway):
    after: asyncio.Future[float] = asyncio.get_running_loop().create_future()
    answered = asyncio.Event()
    works = set()

    async def go_on() -> None:
        await answered.wait()
        after.set_result(deadline.remaining(60))

    async def begin(request: Echo) -> Echo:
        works.add(asyncio.ensure_future(go_on()))
        return request

    await runner.serve(ECHO, begin)
    await gateway.call(ECHO, echo(), timeout=50)
    answered.set()
    assert await after == 60


async def test_a_call_whose_caller_has_given_up_is_not_made(gateway):
    deadline.current.set(deadline.Deadline(asyncio.get_running_loop().time() - 1))
    try:
        with pytest.raises(Fault) as caught:
            await gateway.call(ECHO, echo())
    finally:
        deadline.current.set(None)
    assert caught.value.code == Code.TIMEOUT
