"""Serving: bounded, shared by a queue group, left and joined again without losing what was accepted."""

import asyncio

import pytest
from prometheus_client import REGISTRY

from libs.bus import serve
from libs.bus.bus import Bus
from libs.contracts.faults import Code, Fault
from tests.libs.bus.wire import ECHO, Echo, echo
from tests.support.waiting import until

pytestmark = pytest.mark.asyncio


class Gate:
    """A handler that holds its requests until it is opened, and notes how many it held at once."""

    def __init__(self) -> None:
        self.opened = asyncio.Event()
        self.inside, self.most, self.done = 0, 0, 0

    async def __call__(self, request: Echo) -> Echo:
        self.inside += 1
        self.most = max(self.most, self.inside)
        await self.opened.wait()
        self.inside -= 1
        self.done += 1
        return request


def asked(bus: Bus, times: int, timeout: float = 30) -> "list[asyncio.Future[Echo]]":
    return [asyncio.ensure_future(bus.call(ECHO, echo(), timeout=timeout)) for _ in range(times)]


async def test_no_more_than_its_slots_at_once_and_the_rest_wait(runner, gateway):
    gate = Gate()
    served = await runner.serve(ECHO, gate, slots=4)
    calls = asked(gateway, 20)
    await until(lambda: served.waiting == 16)
    labels = {"subject": ECHO.name, "instance": "runner-1"}
    assert REGISTRY.get_sample_value("polyvox_bus_slots_in_use", labels) == 4
    gate.opened.set()
    await asyncio.gather(*calls)
    assert (gate.most, gate.done) == (4, 20)


async def test_too_many_waiting_are_told_to_come_again(runner, gateway):
    gate = Gate()
    await runner.serve(ECHO, gate, slots=1)
    calls = asked(gateway, 18)
    done, _ = await asyncio.wait(calls, return_when=asyncio.FIRST_COMPLETED)
    fault = done.pop().exception()
    assert isinstance(fault, Fault)
    assert (fault.code, fault.retry_after) == (Code.UNAVAILABLE, 1)
    gate.opened.set()
    await asyncio.gather(*calls, return_exceptions=True)
    assert gate.done == 17


async def test_a_request_whose_caller_gave_up_while_it_waited_is_not_handled(runner, gateway):
    gate = Gate()
    served = await runner.serve(ECHO, gate, slots=1)
    first = asked(gateway, 1)
    await until(lambda: served.busy == 1)
    late = asked(gateway, 1, timeout=0.05)
    await asyncio.wait(late)
    await until(lambda: served.waiting == 1)
    # What its caller sent along counts from when it came: it is over here a little later than there.
    await asyncio.sleep(0.1)
    gate.opened.set()
    await asyncio.gather(*first)
    await until(lambda: served.waiting == 0 and served.busy == 0)
    assert gate.done == 1
    assert isinstance(late[0].exception(), Fault)


async def test_a_line_that_does_not_move_takes_nobody_more(runner, gateway, monkeypatch):
    monkeypatch.setattr(serve, "_PATIENCE", 0.2)
    gate = Gate()
    served = await runner.serve(ECHO, gate, slots=1)
    held = asked(gateway, 2)
    await until(lambda: served.waiting == 1)
    await asyncio.sleep(0.3)
    with pytest.raises(Fault) as refused:
        await gateway.call(ECHO, echo())
    assert (refused.value.code, refused.value.retry_after) == (Code.UNAVAILABLE, 1)
    gate.opened.set()
    await asyncio.gather(*held)
    await gateway.call(ECHO, echo())


async def test_a_paused_one_leaves_the_queue_to_others_and_loses_nothing(nats_url, blobs, runner, gateway):
    other = await Bus.connect(nats_url, owner="runner", instance="runner-2", blobs=blobs)
    here, there = Gate(), Gate()
    here.opened.set()
    there.opened.set()
    served = await runner.serve(ECHO, here)
    await other.serve(ECHO, there)
    asking = True

    async def ask() -> int:
        answered = 0
        while asking:
            await gateway.call(ECHO, echo(), timeout=60)
            answered += 1
        return answered

    askers = [asyncio.ensure_future(ask()) for _ in range(16)]
    for _ in range(20):
        await served.pause()
        await until(lambda: served.busy == served.waiting == 0)
        before = here.done
        await asyncio.sleep(0.01)
        assert here.done == before
        await served.resume()
        await until(lambda before=before: here.done > before)
    asking = False
    assert sum(await asyncio.gather(*askers)) == here.done + there.done
    await other.close()


async def test_all_paused_is_unavailable_until_one_resumes(runner, gateway):
    gate = Gate()
    gate.opened.set()
    served = await runner.serve(ECHO, gate)
    await served.pause()
    await served.pause()
    with pytest.raises(Fault) as caught:
        await gateway.call(ECHO, echo())
    assert caught.value.code == Code.UNAVAILABLE
    await served.resume()
    await gateway.call(ECHO, echo())


async def test_draining_finishes_what_was_accepted(runner, gateway):
    gate = Gate()
    served = await runner.serve(ECHO, gate, slots=2)
    calls = asked(gateway, 6)
    await until(lambda: served.waiting == 4)
    draining = asyncio.ensure_future(runner.drain(30))
    ended, _ = await asyncio.wait({draining}, timeout=0.1)
    assert not ended
    gate.opened.set()
    await draining
    assert len(await asyncio.gather(*calls)) == 6
    with pytest.raises(Fault):
        await gateway.call(ECHO, echo())


async def test_what_does_not_end_in_time_is_cut_off_and_its_caller_told(runner, gateway):
    served = await runner.serve(ECHO, Gate(), slots=2)
    calls = asked(gateway, 6)
    await until(lambda: served.waiting == 4)
    await runner.drain(0.1)
    faults = await asyncio.gather(*calls, return_exceptions=True)
    assert {fault.code for fault in faults if isinstance(fault, Fault)} == {Code.UNAVAILABLE}
    assert len(faults) == 6


async def test_a_nudge_wakes_those_who_listen(runner, gateway):
    woken = asyncio.Event()
    await gateway.on_nudge("gateway.changes", woken.set)
    await gateway.connection.flush()
    await runner.nudge("gateway.changes")
    await asyncio.wait_for(woken.wait(), 60)
