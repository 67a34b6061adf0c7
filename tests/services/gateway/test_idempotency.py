"""Idempotency keys at the door, where the other services answer as the test says. Whole stories: tests/journeys."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from uuid import UUID

import aiohttp
import pytest
import pytest_asyncio
from aiohttp import web

from libs.contracts import apps, contexts, documents, files, ids, runs
from libs.contracts.faults import Code, Failure, Fault
from services.gateway import __main__ as gateway
from services.gateway.dialects import klu
from services.gateway.effects import store
from services.gateway.engine import ENGINE, ask
from services.gateway.http import sse
from services.gateway.http.voices import CALLER, Voice
from tests.dialects.klu import examples
from tests.dialects.klu.examples import ACTION
from tests.services.gateway.peers import Door, Reply, new_key, opened
from tests.support.servers import Databases

pytestmark = pytest.mark.asyncio

EXPIRE = "UPDATE effects SET until = now() - interval '1 second' WHERE scope = $1 AND key = $2"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def door(nats_url: str, databases: Databases) -> AsyncIterator[Door]:
    async with opened(nats_url, databases) as door:
        yield door


@pytest.fixture
def key() -> str:
    return f"key-{ids.new()}"


async def post(door: Door, path: str, body, key: str, **options) -> Reply:
    return await door.call("POST", path, body, headers={"Idempotency-Key": key}, **options)


async def create_app(door: Door, key: str, **body) -> Reply:
    return await post(door, "/v1/apps", {"name": "Support"} | body, key)


async def until_answered(door: Door, key: str) -> Reply:
    async with asyncio.timeout(10):
        while (answer := await create_app(door, key)).status == 409:  # noqa: ASYNC110 — it can only be asked for
            await asyncio.sleep(0.01)
    return answer


async def serve_apps(door: Door) -> None:
    """Each app that is made is another one."""
    await door.peers.answer(
        apps.CREATE,
        lambda asked: apps.App(asked.id, door.workspace_id, asked.name, "", "", None, None, *[examples.NOW] * 2),
    )
    door.peers.asked.clear()


async def gate(door: Door) -> tuple[asyncio.Event, asyncio.Event]:
    """Set when an app is being made, and to be set for it to be done."""
    came, go = asyncio.Event(), asyncio.Event()

    async def slowly(asked):
        came.set()
        await go.wait()
        return examples.app

    await door.peers.answer(apps.CREATE, slowly)
    door.peers.asked.clear()
    return came, go


async def test_the_same_request_gets_the_first_answer_again(door, key):
    await serve_apps(door)
    first, again = await create_app(door, key), await create_app(door, key)
    assert (again.status, again.text) == (first.status, first.text) == (200, first.text)
    assert again.headers["Content-Type"] == first.headers["Content-Type"]
    assert (first.headers.get("Idempotent-Replayed"), again.headers["Idempotent-Replayed"]) == (None, "true")
    assert again.headers["X-Request-Id"] != first.headers["X-Request-Id"]
    assert len(door.peers.asked) == 1


async def test_without_a_key_nothing_is_kept(door):
    await serve_apps(door)
    await door.peers.answer(apps.CREATE, examples.app)
    before = await door.service.database.fetchval("SELECT count(*) FROM effects")
    for _ in range(2):
        assert (await door.call("POST", "/v1/apps", {"name": "Support"})).status == 200
    assert await door.service.database.fetchval("SELECT count(*) FROM effects") == before
    assert [asked.id for asked in door.peers.asked] == [None, None]


async def test_a_key_of_another_request_is_422_and_names_the_header(door, key):
    await serve_apps(door)
    await create_app(door, key)
    others = [
        await create_app(door, key, name="Other"),
        await post(door, "/v1/apps?x=1", {"name": "Support"}, key),
        await post(door, "/api/webhooks", {"url": "https://a.example", "events": ["*"]}, key),
    ]
    for other in others:
        assert other.status == 422
        assert "Idempotency-Key" in other.text
    assert others[0].json.keys() == {"error", "message", "detail"}
    assert others[2].json["error"]["code"] == "UNPROCESSABLE"
    assert len(door.peers.asked) == 1


@pytest.mark.parametrize("bad", ["", "x" * 256, "a b", "a\tb", "caf\u00e9"])
async def test_what_is_no_key_is_422_and_names_the_header(door, bad):
    answer = await create_app(door, bad)
    assert answer.status == 422
    assert "Idempotency-Key" in answer.json["message"]


async def test_a_key_may_be_as_long_as_255_characters_and_is_one(door):
    await serve_apps(door)
    assert (await create_app(door, "~" * 254 + "!")).status == 200
    two = [("Idempotency-Key", "a"), ("Idempotency-Key", "b"), ("Authorization", f"Bearer {door.key}")]
    async with door.session.post(f"{door.url}/v1/apps", json={"name": "a"}, headers=two) as answer:
        assert answer.status == 422


async def test_only_a_post_is_kept(door, key):
    await door.peers.answer(apps.GET, examples.app)
    for _ in range(2):
        answer = await door.call("GET", f"/v1/apps/{examples.APP}", headers={"Idempotency-Key": key})
        assert "Idempotent-Replayed" not in answer.headers


async def test_while_the_first_is_being_answered_the_second_is_told_to_wait(door, key):
    came, go = await gate(door)
    first = asyncio.create_task(create_app(door, key))
    await came.wait()
    second = await create_app(door, key)
    assert second.status == 409
    assert second.headers["Retry-After"] == "1"
    assert (await create_app(door, key, name="Other")).status == 422
    go.set()
    assert (await first).status == 200
    assert (await create_app(door, key)).headers["Idempotent-Replayed"] == "true"


async def test_who_leaves_finds_the_answer_on_coming_back(door, key):
    came, go = await gate(door)
    first = asyncio.create_task(create_app(door, key))
    await came.wait()
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    go.set()
    again = await until_answered(door, key)
    assert again.headers["Idempotent-Replayed"] == "true"
    assert len(door.peers.asked) == 1


async def test_workspaces_do_not_share_their_keys(door, key):
    await serve_apps(door)
    other = await new_key(door.service, "Another")
    first = await create_app(door, key)
    second = await door.call("POST", "/v1/apps", {"name": "Else"}, key=other.secret, headers={"Idempotency-Key": key})
    assert second.status == 200
    assert first.json["guid"] != second.json["guid"]
    assert "Idempotent-Replayed" not in second.headers


async def test_a_refusal_is_an_answer_too(door, key):
    await door.peers.answer(apps.CREATE, Fault(Code.INVALID, "No.", field="name"))
    first = await create_app(door, key)
    await serve_apps(door)
    again = await create_app(door, key)
    assert (again.status, again.text) == (422, first.text)
    assert door.peers.asked == []


@pytest.mark.parametrize("code", [Code.UNAVAILABLE, Code.TIMEOUT, Code.INTERNAL, Code.RATE_LIMITED])
async def test_what_is_no_answer_is_not_kept_and_done_again_under_the_same_id(door, key, code):
    await door.peers.answer(apps.CREATE, Fault(code, "Not now.", retry_after=1))
    door.peers.asked.clear()
    assert (await create_app(door, key)).status in (429, 500, 503, 504)
    asked = door.peers.asked[0]
    await serve_apps(door)
    answer = await create_app(door, key)
    assert answer.status == 200
    assert "Idempotent-Replayed" not in answer.headers
    assert door.peers.asked == [asked]
    assert asked.id.version == 7


async def test_what_a_killed_gateway_left_is_taken_up_once_its_lease_is_over(door, key):
    """The row is there and nobody is at it: the id that was reserved is made."""
    await create_app(door, key)
    await serve_apps(door)
    database = door.service.database
    await database.execute("UPDATE effects SET answer = NULL, until = now() + interval '9 seconds' WHERE key = $1", key)
    assert (await create_app(door, key)).status == 409
    await database.execute(EXPIRE, door.workspace_id, key)
    assert (await create_app(door, key, name="Other")).status == 422
    reserved = await store.get(database, door.workspace_id, key)
    answer = await create_app(door, key)
    assert reserved is not None
    assert answer.json["guid"] == str(reserved.effect_id)


async def test_a_lease_is_renewed_while_the_request_is_being_answered(door, key):
    came, go = await gate(door)
    first = asyncio.create_task(create_app(door, key))
    await came.wait()
    await door.service.database.execute(EXPIRE, door.workspace_id, key)
    async with asyncio.timeout(10):
        while await door.service.database.fetchval("SELECT until < now() FROM effects WHERE key = $1", key):  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    assert (await create_app(door, key)).status == 409
    go.set()
    assert (await first).status == 200


async def test_several_things_made_by_one_request_have_each_an_id_that_stays(door, key):
    await door.peers.answer(contexts.CREATE, examples.context)
    await door.peers.answer(documents.ADD_FILES, Fault(Code.UNAVAILABLE, "Not now."))
    await door.peers.answer(contexts.DELETE, Fault(Code.UNAVAILABLE, "Not now."))
    door.peers.asked.clear()
    body = {"name": "Docs", "files": ["https://a.example/a.txt"]}
    assert (await post(door, "/v1/context", body, key)).status == 503
    before = [asked.id for asked in door.peers.asked[:2]]
    await door.peers.answer(documents.ADD_FILES, [examples.document])
    door.peers.asked.clear()
    assert (await post(door, "/v1/context", body, key)).status == 200
    assert [asked.id for asked in door.peers.asked] == before
    assert len(set(before)) == 2


def run(**given) -> dict:
    return {"action": str(ACTION), "input": {"question": "Why?"}, **given}


async def test_a_run_is_started_durably_under_the_id_of_the_effect(door, key):
    await door.peers.answer(runs.START, examples.started)
    door.peers.asked.clear()
    answer = await post(door, "/v1/actions/", run(streaming=True), key)
    reserved = await store.get(door.service.database, door.workspace_id, key)
    [asked] = door.peers.asked
    assert reserved is not None
    assert (asked.run_id, asked.durable) == (reserved.effect_id, True)
    again = await post(door, "/v1/actions/", run(streaming=True), key)
    assert again.json == answer.json
    assert len(door.peers.asked) == 1
    await door.call("POST", "/v1/actions/", run())
    assert door.peers.asked[-1].durable is False


async def test_a_run_that_failed_is_run_again(door, key):
    """It is recorded, so the same id would only fail again."""
    failure = Failure(Code.UPSTREAM, "The model is away.")
    await door.peers.answer(
        runs.START, lambda asked: examples.started(asked, status=runs.Status.FAILED, failure=failure)
    )
    door.peers.asked.clear()
    assert (await post(door, "/v1/actions/", run(), key)).status == 502
    await door.peers.answer(runs.START, examples.started)
    assert (await post(door, "/v1/actions/", run(), key)).status == 200
    first, second = door.peers.asked
    assert first.run_id != second.run_id


async def test_answers_are_kept_sealed(door, key):
    await serve_apps(door)
    await create_app(door, key, name="a secret name")
    kept = await door.service.database.fetchval("SELECT answer FROM effects WHERE key = $1", key)
    assert b"secret" not in kept
    assert "secret" in (await create_app(door, key, name="a secret name")).text


async def test_what_is_older_than_a_day_is_dropped_in_batches(door, key):
    await serve_apps(door)
    database = door.service.database
    for n in range(5):
        await create_app(door, f"{key}-{n}")
    await create_app(door, key)
    old = "UPDATE effects SET created_at = now() - interval '25 hours', until = now() WHERE starts_with(key, $1)"
    await database.execute(old, f"{key}-")
    assert [await store.forget(database, hours=24, limit=3) for _ in range(3)] == [3, 2, 0]
    assert (await create_app(door, key)).headers["Idempotent-Replayed"] == "true"
    assert "Idempotent-Replayed" not in (await create_app(door, f"{key}-0")).headers


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

    return Voice("toy", "/toys", "/toy", klu.VOICE.authenticate, klu.VOICE.render, list(routes))


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
        await asyncio.wait_for(left.wait(), 10)
        assert "data: begun" in (await post(door, "/toy/runs", {}, key)).text


async def test_a_stop_waits_for_what_its_client_has_left(nats_url, databases, key):
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
