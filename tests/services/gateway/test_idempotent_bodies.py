"""Idempotency keys where a body or an answer is no text at hand: uploads, streams, and what a stop finds under way."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from uuid import UUID

import aiohttp
import pytest
import pytest_asyncio
from aiohttp import web

from libs.contracts import apps, files, ids
from libs.contracts.faults import Code, Fault
from services.gateway import __main__ as gateway
from services.gateway.dialects import klu
from services.gateway.effects import keeper
from services.gateway.engine import ENGINE, ask
from services.gateway.http import sse
from services.gateway.http.voices import CALLER, Voice, listed
from tests.services.gateway.peers import Door, opened
from tests.services.gateway.repeating import create_app, gate, post, serve_apps
from tests.support.servers import Databases

pytestmark = pytest.mark.asyncio


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def door(nats_url: str, databases: Databases) -> AsyncIterator[Door]:
    async with opened(nats_url, databases) as door:
        yield door


@pytest.fixture
def key() -> str:
    return f"key-{ids.new()}"


async def presigned(door: Door) -> tuple[str, str]:
    """An address to send a file to, and its blob."""
    upload_id = ids.new()
    blob = f"uploads/{upload_id.hex}"
    await door.peers.answer(files.BEGIN, files.Upload(upload_id, door.workspace_id, "a.txt", blob, 1 << 20, False))
    await door.peers.answer(files.FINISH, files.Upload(upload_id, door.workspace_id, "a.txt", blob, 1 << 20, True))
    answer = await door.call("POST", "/v1/context/presign", {"file_name": "a.txt"})
    door.peers.asked.clear()
    return answer.json["url"].removeprefix(door.url), blob


def form(file: bytes) -> aiohttp.FormData:
    made = aiohttp.FormData()
    made.add_field("file", file, filename="a.txt")
    return made


async def test_an_upload_is_taken_in_once_and_compared_afterwards(door, key):
    path, blob = await presigned(door)
    first = await post(door, path, form(b"one" * 100_000), key)
    again = await post(door, path, form(b"one" * 100_000), key)
    other = await post(door, path, form(b"two" * 100_000), key)
    assert (first.status, again.status, other.status) == (204, 204, 422)
    assert again.headers["Idempotent-Replayed"] == "true"
    assert "Idempotency-Key" in other.text
    assert len(door.peers.asked) == 1
    assert await door.service.blobs.get(blob) == b"one" * 100_000


async def test_an_upload_that_broke_off_is_taken_in_again(door, key):
    path, blob = await presigned(door)
    await door.peers.answer(files.FINISH, Fault(Code.UNAVAILABLE, "Not now."))
    assert (await post(door, path, form(b"one"), key)).status == 503
    assert (await post(door, path, b"no form", key)).status == 415
    await door.peers.answer(files.FINISH, files.Upload(ids.new(), door.workspace_id, "a.txt", blob, 9, True))
    assert (await post(door, path, form(b"one"), key)).status == 204
    assert (await post(door, path, form(b"one"), key)).headers["Idempotent-Replayed"] == "true"


def streaming(answering: Callable[[web.Request, sse.Stream, UUID], Awaitable[None]]) -> Voice:
    """A voice whose POST answers with the run's stream itself."""
    routes = web.RouteTableDef()

    @routes.post("/toy/runs")
    async def start(request: web.Request) -> web.StreamResponse:
        made = await ask(request, apps.CREATE, apps.CreateApp(request[CALLER].workspace_id, "run"))
        async with request.app[ENGINE].streams.open(request) as stream:
            await answering(request, stream, made.id)
        return stream.response

    return Voice("toy", "/toys", "/toy", klu.VOICE.authenticate, klu.VOICE.render, listed(routes))


async def test_a_post_that_answers_with_a_stream_streams_again_from_its_first_event(
    nats_url, databases, monkeypatch, key
):
    async def tell(request: web.Request, stream: sse.Stream, run_id: UUID) -> None:
        for n in (1, 2, 3):
            await stream.write(sse.Event(str(n).encode(), id=f"{run_id}-{n}"))

    monkeypatch.setattr(gateway, "VOICES", (*gateway.VOICES, streaming(tell)))
    async with opened(nats_url, databases) as door:
        await serve_apps(door)
        first, again = [await post(door, "/toy/runs", {}, key) for _ in range(2)]
        assert first.text == again.text
        assert "data: 1" in first.text
        assert (first.headers.get("Idempotent-Replayed"), again.headers["Idempotent-Replayed"]) == (None, "true")
        assert len({asked.id for asked in door.peers.asked}) == 1
        assert (await post(door, "/toy/runs", {"other": 1}, key)).status == 422


async def test_a_stream_that_lost_its_reader_ends_and_may_be_read_again(nats_url, databases, monkeypatch, key):
    left = asyncio.Event()

    async def tell(request: web.Request, stream: sse.Stream, run_id: UUID) -> None:
        await stream.write(sse.Event(b"begun"))
        if left.is_set():
            return
        try:
            await asyncio.sleep(60)
        finally:
            left.set()

    monkeypatch.setattr(gateway, "VOICES", (*gateway.VOICES, streaming(tell)))
    async with opened(nats_url, databases) as door:
        await serve_apps(door)
        headers = {"Idempotency-Key": key, "Authorization": f"Bearer {door.key}"}
        async with door.session.post(f"{door.url}/toy/runs", json={}, headers=headers) as answer:
            assert await answer.content.readline() == b"data: begun\n"
        await asyncio.wait_for(left.wait(), 60)
        assert "data: begun" in (await post(door, "/toy/runs", {}, key)).text


async def test_a_stop_waits_for_what_its_client_has_left(nats_url, databases, key, monkeypatch):
    monkeypatch.setattr(keeper, "_FINISH_SECONDS", 30.0)
    async with opened(nats_url, databases) as other:
        async with opened(nats_url, databases) as door:
            came, go = await gate(door)
            first = asyncio.create_task(create_app(door, key))
            await came.wait()
            first.cancel()
            await asyncio.gather(first, return_exceptions=True)
            asyncio.get_running_loop().call_later(0.5, go.set)
        again = await create_app(other, key)
        assert (again.status, again.headers.get("Idempotent-Replayed")) == (200, "true")
