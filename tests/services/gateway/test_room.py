"""What the gateway takes in at once is bounded: more is refused at once, in the voice that was spoken to."""

import asyncio
import gzip
import json
import time

import pytest

from libs.contracts import actions, apps
from libs.contracts.faults import Code, Fault
from libs.postgres import database
from tests.services.gateway.peers import Door, Reply, opened
from tests.support.waiting import until

pytestmark = pytest.mark.asyncio


class Slow:
    """A peer that answers when the gate is opened, with a refusal."""

    def __init__(self) -> None:
        self.asked, self.gate = asyncio.Semaphore(0), asyncio.Event()

    async def __call__(self, _: object) -> Fault:
        self.asked.release()
        await self.gate.wait()
        raise Fault(Code.CONFLICT, "Another time.")


async def refusal(door: Door, method: str, path: str, body: object = None) -> Reply:
    """A 503 that comes at once, in the best of many tries: the machine has other work."""
    quickest = 9.0
    for _ in range(30):
        began = time.perf_counter()
        answer = await door.call(method, path, body)
        quickest = min(quickest, time.perf_counter() - began)
        assert (answer.status, answer.headers["Retry-After"]) == (503, "1"), answer.text
        if quickest < 0.1:
            break
    assert quickest < 0.1
    return answer


async def test_more_requests_than_there_is_room_for_are_refused_at_once_and_the_others_answered(nats_url, databases):
    async with opened(nats_url, databases, requests_at_once=2) as door:
        slow = Slow()
        await door.peers.answer(apps.GET, slow)
        path = f"/v1/apps/{door.workspace_id}"
        waiting = [asyncio.ensure_future(door.call("GET", path)) for _ in range(2)]
        for _ in waiting:
            await slow.asked.acquire()
        assert (await refusal(door, "GET", "/v1/workspace/current")).json["error"]
        assert (await refusal(door, "GET", "/api/webhooks")).json["error"]["code"] == "SERVICE_UNAVAILABLE"
        assert (await door.call("GET", "/health")).status == 200
        slow.gate.set()
        assert [answer.status for answer in await asyncio.gather(*waiting)] == [409, 409]
        assert (await door.call("GET", "/v1/workspace/current")).status == 200


async def test_bodies_that_there_is_no_room_for_are_refused_before_they_are_read(nats_url, databases):
    async with opened(nats_url, databases, body_megabytes_at_once=1) as door:
        slow = Slow()
        await door.peers.answer(apps.CREATE, slow)
        large = {"name": "x", "description": "y" * 900_000}
        first = asyncio.ensure_future(door.call("POST", "/v1/apps", large))
        await slow.asked.acquire()
        await refusal(door, "POST", "/v1/apps", large)
        packed = gzip.compress(json.dumps(large).encode())
        assert len(packed) < 5_000
        unpacked = await door.call("POST", "/v1/apps", packed, headers={"Content-Encoding": "gzip"})
        assert (unpacked.status, unpacked.headers["Retry-After"]) == (503, "1")
        slow.gate.set()
        assert (await first).status == 409
        assert (await door.call("POST", "/v1/apps", large)).status == 409


async def test_messages_on_a_socket_that_there_is_no_room_for_are_refused_and_those_after_taken(nats_url, databases):
    async with opened(nats_url, databases, body_megabytes_at_once=1) as door:
        slow = Slow()
        await door.peers.answer(actions.FIND, slow)
        large = json.dumps({"message": "y" * 900_000})
        async with door.session.ws_connect(f"{door.url}/ws/chat?key={door.key}") as socket:
            await socket.send_str(large)
            await slow.asked.acquire()
            await socket.send_str(large)
            assert "Too many large requests" in await socket.receive_str(timeout=10)
            slow.gate.set()
            for _ in range(2):
                assert "Another time." in await socket.receive_str(timeout=10)
                await socket.send_str(large)


async def test_a_pool_whose_connections_are_all_taken_refuses_those_who_would_wait_for_a_time_out(
    nats_url, databases, monkeypatch
):
    monkeypatch.setattr(database, "_PATIENCE", 0.2)
    async with opened(nats_url, databases, postgres_pool_size=1) as door:
        path = "/v1/workspace/current"
        assert (await door.call("GET", path)).status == 200
        async with door.service.database.acquire():
            first = asyncio.ensure_future(door.call("GET", path))
            await until(lambda: door.service.database.use().waiting > 0)
            await asyncio.sleep(1.3)  # who comes within a second waits for the same look at the key
            await refusal(door, "GET", path)
        assert (await first).status == 200
        assert (await door.call("GET", path)).status == 200
