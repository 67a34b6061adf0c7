"""Beyond capacity callers are told so at once, and one who reads slowly or not at all is nobody else's trouble."""

import asyncio
import resource
import socket
import time
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest

from services.gateway.http import metrics
from tests.journeys.test_the_main_job import action
from tests.support.engine import Client, engine
from tests.support.processes import process
from tests.support.provider import Answer
from tests.support.servers import free_port
from tests.support.waiting import eventually, until

pytestmark = pytest.mark.asyncio(loop_scope="session")

_AT_ONCE = 0.1
_SILENT = 50


async def timed(client: Client, path: str, body: Any) -> tuple[int, str | None, float]:
    """The status, its Retry-After, and how long it took; the best of many, since the machine has other work."""
    tries: list[tuple[int, str | None, float]] = []
    while len(tries) < 30 and not any(seconds < _AT_ONCE for *_, seconds in tries):
        began = time.perf_counter()
        headers = {"Authorization": f"Bearer {client.key}"}
        async with client.session.post(client.url + path, json=body, headers=headers) as answer:
            await answer.read()
            tries.append((answer.status, answer.headers.get("Retry-After"), time.perf_counter() - began))
    return min(tries, key=lambda tried: tried[2])


async def test_a_caller_who_finds_every_run_slot_taken_is_refused_at_once(nats_url, databases, tmp_path):
    async with engine(nats_url, databases, tmp_path, runner={"run_slots": 2}) as small:
        client = await small.workspace("full")
        body = {"action": await action(client, "Wait."), "input": ""}
        gate = asyncio.Event()
        small.upstream.plays(Answer(gate=gate), Answer(gate=gate))
        going_on = [asyncio.ensure_future(client.call("POST", "/v1/actions", body)) for _ in range(2)]
        await until(lambda: small.upstream.answering == 2)
        for mode in ({}, {"streaming": True}):
            status, retry_after, seconds = await timed(client, "/v1/actions", body | mode)
            assert (status, retry_after) == (503, "1")
            assert seconds < _AT_ONCE
        later = await client.post("/v1/actions", body | {"async_mode": True})
        path = urlsplit(later["result_url"]).path
        assert (await client.get(path))["status"] == "PENDING"
        gate.set()
        assert [status for status, _ in await asyncio.gather(*going_on)] == [200, 200]
        assert (await client.call("POST", "/v1/actions", body))[0] == 200

        async def done() -> bool:
            return (await client.get(path))["status"] == "SUCCESS"

        await eventually(done)


async def test_a_workspace_that_has_too_much_waiting_is_told_to_come_later(nats_url, databases, tmp_path):
    async with engine(nats_url, databases, tmp_path, runner={"run_slots": 1, "queued_per_workspace": 2}) as small:
        client = await small.workspace("waiting")
        body = {"action": await action(client, "Wait."), "input": "", "async_mode": True}
        gate = asyncio.Event()
        small.upstream.plays(Answer(gate=gate))
        await client.post("/v1/actions", body)
        await until(lambda: small.upstream.answering == 1)
        await asyncio.sleep(1.1)  # what waits is counted once a second
        accepted = [await client.post("/v1/actions", body) for _ in range(2)]
        status, retry_after, seconds = await timed(client, "/v1/actions", body)
        assert (status, retry_after) == (429, "5")
        assert seconds < _AT_ONCE
        gate.set()

        async def done() -> bool:
            answers = [await client.get(urlsplit(run["result_url"]).path) for run in accepted]
            return {answer["status"] for answer in answers} == {"SUCCESS"}

        await eventually(done)


class Silent:
    """A client that asks for a stream and never reads it."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        assert parts.hostname
        assert parts.port
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self._socket.connect((parts.hostname, parts.port))
        self._socket.sendall(f"GET {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\n\r\n".encode())

    def close(self) -> None:
        self._socket.close()


async def text_of(stream: aiohttp.ClientResponse) -> int:
    """How many characters of tokens came."""
    total = 0
    async for line in stream.content:
        total += line.count(b"x")
    return total


async def test_a_reader_that_takes_in_nothing_slows_nobody_and_is_let_go(nats_url, databases, tmp_path):
    pieces = tuple("x" * 8000 for _ in range(2000))
    async with AsyncExitStack() as stack:
        busy = await stack.enter_async_context(engine(nats_url, databases, tmp_path, gateway={"stalled_seconds": 1.0}))
        client = await busy.workspace("slow")
        asked = await action(client, "Say much.")
        busy.upstream.plays(Answer(pieces=pieces, first=0.3))
        started = await client.post("/v1/actions/", {"action": asked, "input": "", "streaming": True})
        before = metrics.STALLED._value.get()
        silent = Silent(started["streaming_url"])
        stack.callback(silent.close)
        async with client.session.get(started["streaming_url"]) as stream:
            reading = asyncio.ensure_future(text_of(stream))
            busy.says("At once.")
            assert (await client.post("/v1/actions", {"action": asked, "input": ""}))["msg"] == "At once."
            async with asyncio.timeout(60):
                assert await reading == 16_000_000
        await until(lambda: metrics.STALLED._value.get() > before)


def resident(pid: int) -> int:
    """The bytes of a process that are in memory."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * resource.getpagesize()


@pytest.mark.slow
async def test_fifty_readers_that_take_in_nothing_cost_a_gateway_less_than_a_megabyte_each(
    nats_url, databases, tmp_path
):
    answer = Answer(pieces=tuple("x" * 8000 for _ in range(500)), first=1.0, between=0.004)
    async with AsyncExitStack() as stack:
        busy = await stack.enter_async_context(engine(nats_url, databases, tmp_path))
        url = f"http://127.0.0.1:{free_port()}"
        gateway = await stack.enter_async_context(
            process("gateway", nats_url, databases, listen=url.removeprefix("http://"))
        )
        client = Client(busy.session, url, (await busy.workspace("fifty")).key)
        asked = await action(client, "Say much.")
        sizes: list[int] = []
        for silent in (0, _SILENT):
            busy.upstream.plays(answer)
            started = await client.post("/v1/actions/", {"action": asked, "input": "", "streaming": True})
            for _ in range(silent):
                stack.callback(Silent(started["streaming_url"]).close)
            async with client.session.get(started["streaming_url"]) as stream:
                assert await text_of(stream) == 4_000_000
            await asyncio.sleep(1.0)
            sizes.append(resident(gateway.pid))
        grown = sizes[1] - sizes[0]
        assert grown < _SILENT * 1_000_000
