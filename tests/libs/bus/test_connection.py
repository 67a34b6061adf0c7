"""The connection: what goes away comes back, and nobody waits for what can't come."""

import asyncio

import pytest
from prometheus_client import REGISTRY

from libs.bus.bus import Bus
from libs.contracts import feed, ids
from libs.contracts.faults import Code, Fault
from tests.libs.bus.holder import tokens
from tests.libs.bus.wire import COUNTED, ECHO, RELAYED, Echo, Restartable, echo
from tests.support.servers import free_port
from tests.support.waiting import until

pytestmark = pytest.mark.asyncio


async def same(request: Echo) -> Echo:
    return request


def counted(name: str) -> float:
    return REGISTRY.get_sample_value(name) or 0


async def test_while_nats_is_away_calls_fail_at_once_and_work_again_after(server: Restartable, blobs):
    gateway = await Bus.connect(server.url, owner="gateway", instance="gateway-1", blobs=blobs)
    runner = await Bus.connect(server.url, owner="runner", instance="runner-1", blobs=blobs)
    started = asyncio.Event()

    async def sleep(request: Echo) -> Echo:
        started.set()
        await asyncio.sleep(3600)
        return request

    await runner.serve(ECHO, same)
    await runner.serve(RELAYED, sleep)
    waiting = asyncio.ensure_future(gateway.call(RELAYED, echo(), timeout=3600))
    await started.wait()
    server.stop()
    with pytest.raises(Fault) as caught:
        await waiting
    assert caught.value.code == Code.UNAVAILABLE
    assert not gateway.connected
    with pytest.raises(Fault) as caught:
        await gateway.call(ECHO, echo(), timeout=3600)
    assert caught.value.code == Code.UNAVAILABLE
    server.start()
    await until(lambda: gateway.connected and runner.connected)
    assert await gateway.call(ECHO, request := Echo(ids.new())) == request
    await asyncio.gather(gateway.close(), runner.close())


async def test_a_server_that_throws_us_out_is_connected_to_again(runner, gateway):
    await runner.serve(ECHO, same)
    back, first = asyncio.Event(), runner.connection._client
    runner.connection.on_reconnect(back.set)
    # An error line from the server, after which nats-py closes for good.
    first._transport.write(b"NONSENSE\r\n")
    await back.wait()
    assert first.is_closed
    await runner.connection.flush()
    assert await gateway.call(ECHO, request := echo()) == request


async def test_a_server_that_is_not_there_is_unavailable_soon(blobs):
    with pytest.raises(Fault) as caught:
        await Bus.connect(f"nats://127.0.0.1:{free_port()}", owner="gateway", instance="gateway-1", blobs=blobs)
    assert caught.value.code == Code.UNAVAILABLE


async def test_a_cancelled_wait_leaves_the_connection_alone(runner, gateway):
    await runner.serve(ECHO, same)
    for _ in range(20):
        flushing = asyncio.ensure_future(gateway.connection.flush())
        calling = asyncio.ensure_future(gateway.call(ECHO, echo()))
        await asyncio.sleep(0)
        flushing.cancel()
        calling.cancel()
        await asyncio.wait({flushing, calling})
    assert await gateway.call(ECHO, request := echo()) == request
    assert not gateway.connection._awaited


async def test_a_hearer_that_fails_is_logged_and_all_else_is_heard(runner, gateway, caplog):
    heard: list[bytes] = []

    def hear(message) -> None:
        heard.append(message.data)
        if message.data == b"1":
            raise ValueError("odd")

    subscription = await gateway.connection.subscribe("nudge.runner.odd", hear)
    await gateway.connection.flush()
    for body in (b"0", b"1", b"2"):
        await runner.connection.publish("nudge.runner.odd", body)
    await until(lambda: len(heard) == 3)
    assert [record.exc_info[1].args for record in caplog.records if record.exc_info] == [("odd",)]
    await runner.serve(ECHO, same)
    assert await gateway.call(ECHO, request := echo()) == request
    await subscription.drop()


async def test_a_subscription_dropped_while_nats_is_away_does_not_come_back(server: Restartable, blobs):
    bus = await Bus.connect(server.url, owner="runner", instance="runner-1", blobs=blobs)
    served = await bus.serve(ECHO, same)
    server.stop()
    await until(lambda: not bus.connected)
    await served.pause()
    before = counted("polyvox_bus_frames_unsent_total")
    await bus.publish(feed.FEED, ids.new(), tokens(1, 1)[0])
    assert counted("polyvox_bus_frames_unsent_total") == before + 1
    server.start()
    await until(lambda: bus.connected)
    with pytest.raises(Fault) as caught:
        await bus.call(ECHO, echo())
    assert caught.value.code == Code.UNAVAILABLE
    await served.resume()
    assert await bus.call(ECHO, request := echo()) == request
    await bus.close()


async def test_a_statement_that_is_not_confirmed_is_repeated_under_the_same_id(server: Restartable, blobs):
    bus = await Bus.connect(server.url, owner="runner", instance="runner-1", blobs=blobs)
    heard: list[tuple[str, bytes]] = []

    asked: asyncio.Queue[str] = asyncio.Queue()

    def hear(message) -> None:
        heard.append((message.headers["Nats-Msg-Id"], message.data))
        if len(heard) >= 2:
            asked.put_nowait(message.reply)

    async def confirm() -> None:
        while True:
            await bus.connection.publish(await asked.get(), b'{"stream": "EVENTS", "seq": 41, "duplicate": true}')

    await bus.connection.subscribe(COUNTED.name, hear)
    confirming = asyncio.ensure_future(confirm())
    assert await bus.state(COUNTED.name, [], "one-id") == 41
    confirming.cancel()
    assert heard[0] == heard[1]
    assert heard[0][0] == "one-id"
    await bus.close()
