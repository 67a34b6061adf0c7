"""Idempotency keys over the whole engine: one key has one effect, whatever dies or is asked again meanwhile."""

import asyncio
import json
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from libs.contracts import ids
from tests.support.engine import Client, Engine
from tests.support.provider import Answer, refusal
from tests.support.servers import Databases, free_port
from tests.support.services import running
from tests.support.waiting import eventually

pytestmark = pytest.mark.asyncio(loop_scope="session")

FORGET_ANSWER = "UPDATE effects SET answer = NULL, until = now() - interval '1 second' WHERE key = $1"


@dataclass
class Reply:
    status: int
    headers: Any
    text: str

    @property
    def json(self) -> Any:
        return json.loads(self.text)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def second(nats_url: str, databases: Databases, engine: Engine) -> AsyncGenerator[str]:
    """The address of a second gateway on the same database."""
    port = free_port()
    async with running("gateway", nats_url, databases, listen=f"127.0.0.1:{port}"):
        yield f"http://127.0.0.1:{port}"


@pytest.fixture
def key() -> str:
    return f"key-{ids.new()}"


async def send(client: Client, path: str, body: Any, key: str, *, url: str = "", **options: Any) -> Reply:
    headers = {"Authorization": f"Bearer {client.key}", "Idempotency-Key": key}
    given = {"data": body} if isinstance(body, aiohttp.FormData) else {"json": body}
    async with client.session.post((url or client.url) + path, headers=headers, **given, **options) as answer:
        return Reply(answer.status, answer.headers, await answer.text())


async def answered(client: Client, path: str, body: Any, key: str, **options: Any) -> Reply:
    """The answer once it is no longer 409, or 503: a machine that is busy refuses some at once."""

    async def ask() -> Reply | None:
        reply = await send(client, path, body, key, **options)
        return None if reply.status in (409, 503) else reply

    return await eventually(ask)


async def without_its_answer(engine: Engine, client: Client, path: str, body: Any, key: str) -> tuple[Reply, Reply]:
    """Made, and made again as after the death of a gateway between the effect and its answer."""
    first = await send(client, path, body, key)
    assert first.status in (200, 201), first.text
    await engine.database.execute(FORGET_ANSWER, key)
    again = await send(client, path, body, key)
    assert "Idempotent-Replayed" not in again.headers
    assert again.status == first.status, again.text
    return first, again


async def action(client: Client, prompt: str = "Say {{word}}.") -> str:
    app = await client.post("/v1/apps", {"name": "Idempotent"})
    made = await client.post("/v1/actions/create", {"name": "Ask", "prompt": prompt, "app": app["guid"]})
    return made["guid"]


async def tokens(engine: Engine, url: str) -> str:
    async with engine.session.get(url) as stream:
        text = (await stream.read()).decode()
    return "".join(json.loads(line[6:])["token"] for line in text.splitlines() if line.startswith('data: {"token"'))


async def test_five_hundred_posts_at_two_gateways_make_one_app(engine: Engine, second: str, key: str) -> None:
    client = await engine.workspace("five-hundred")
    urls = [engine.url, second] * 250
    replies = await asyncio.gather(*(send(client, "/v1/apps", {"name": "One"}, key, url=url) for url in urls))

    # A machine that is busy with other things refuses some at once.
    assert {reply.status for reply in replies} <= {200, 409, 503}
    replies.append(await answered(client, "/v1/apps", {"name": "One"}, key))
    made = {reply.json["guid"] for reply in replies if reply.status == 200}
    apps = await client.get("/v1/apps")
    assert [app["guid"] for app in apps] == list(made)
    for url in (engine.url, second):
        again = await send(client, "/v1/apps", {"name": "One"}, key, url=url)
        assert again.headers["Idempotent-Replayed"] == "true"
        assert again.json["guid"] in made


async def test_many_posts_of_one_run_ask_the_model_once(engine: Engine, second: str, key: str) -> None:
    client = await engine.workspace("one-run")
    body = {"action": await action(client), "input": {"word": "it"}}
    asked = len(engine.upstream.asked)
    engine.upstream.plays(Answer(pieces=("Once.",), first=0.3))
    replies = await asyncio.gather(
        *(answered(client, "/v1/actions", body, key, url=url) for url in [engine.url, second] * 20)
    )
    assert {reply.text for reply in replies} == {replies[0].text}
    assert replies[0].json["msg"] == "Once."
    assert len(engine.upstream.asked) == asked + 1


async def test_a_run_that_goes_on_is_409_and_its_answer_waits_for_a_client_that_left(
    engine: Engine, second: str, key: str
) -> None:
    client = await engine.workspace("left")
    body = {"action": await action(client), "input": {"word": "it"}}
    gate = asyncio.Event()
    asked = len(engine.upstream.asked)
    engine.upstream.plays(Answer(pieces=("Here ", "it is."), gate=gate))
    first = asyncio.create_task(send(client, "/v1/actions", body, key))

    async def begun() -> bool:
        return len(engine.upstream.asked) > asked

    await eventually(begun)
    for url in (engine.url, second):
        waiting = await send(client, "/v1/actions", body, key, url=url)
        assert (waiting.status, waiting.headers["Retry-After"]) == (409, "1")
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    gate.set()
    assert (await answered(client, "/v1/actions", body, key, url=second)).json["msg"] == "Here it is."
    assert len(engine.upstream.asked) == asked + 1


async def test_a_streaming_run_is_read_again_from_its_first_frame(engine: Engine, second: str, key: str) -> None:
    client = await engine.workspace("streamed")
    body = {"action": await action(client), "input": {"word": "it"}, "streaming": True}
    asked = len(engine.upstream.asked)
    engine.says("One ", "two ", "three.")
    first = await send(client, "/v1/actions/", body, key)
    assert await tokens(engine, first.json["streaming_url"]) == "One two three."
    again = await send(client, "/v1/actions/", body, key, url=second)
    assert again.text == first.text
    assert await tokens(engine, again.json["streaming_url"]) == "One two three."
    assert len(engine.upstream.asked) == asked + 1


STREAMING = {
    "klisk": ("/api/chat", {"message": "Say it.", "agent_name": "Ask"}),
    "llmstack": ("/llmstack/api/apps/{action}/run", {"input": {"word": "it"}, "stream": True}),
}


@pytest.mark.parametrize("voice", STREAMING)
async def test_many_posts_that_answer_with_a_stream_read_one_run_from_its_first_frame(
    engine: Engine, second: str, key: str, voice: str
) -> None:
    client = await engine.workspace(f"streamed-{voice}")
    path, body = STREAMING[voice]
    path = path.format(action=await action(client))
    asked = len(engine.upstream.asked)
    engine.upstream.plays(Answer(pieces=("One ", "two ", "three."), between=0.05))
    replies = await asyncio.gather(*(answered(client, path, body, key, url=url) for url in [engine.url, second] * 5))
    assert {reply.status for reply in replies} == {200}
    assert {stitched(reply.text) for reply in replies} == {"One two three."}
    assert sum("Idempotent-Replayed" not in reply.headers for reply in replies) == 1
    again = await send(client, path, body, key, url=second)
    assert stitched(again.text) == "One two three."
    assert (await send(client, path, {**body, "more": 1}, key)).status == 422
    assert len(engine.upstream.asked) == asked + 1


def stitched(stream: str) -> str:
    """What a reader of either voice puts together."""
    objects = [json.loads(line) for line in stream.replace("data: {", "{").splitlines() if line.startswith("{")]
    return "".join(each.get("output") or (each["data"] if each.get("type") == "token" else "") for each in objects)


async def test_a_run_that_failed_may_be_tried_again_with_its_key(engine: Engine, key: str) -> None:
    client = await engine.workspace("failed-once")
    asked = await action(client)
    body = {"action": asked, "input": {"word": "it"}}
    engine.upstream.plays(refusal(401, "not today"))
    failed = await send(client, "/v1/actions", body, key)
    assert failed.status >= 500
    engine.says("Now.")
    assert (await send(client, "/v1/actions", body, key)).json["msg"] == "Now."
    assert (await send(client, "/v1/actions", body, key)).json["msg"] == "Now."
    assert len((await client.get(f"/v1/actions/{asked}/data"))["data"]) == 2


@pytest.mark.parametrize("mode", [{}, {"streaming": True}, {"async_mode": True}])
async def test_a_gateway_killed_before_it_answered_leaves_one_run(
    engine: Engine, key: str, mode: dict[str, bool]
) -> None:
    client = await engine.workspace(f"killed-run-{'-'.join(mode) or 'blocking'}")
    asked = await action(client)
    before = len(engine.upstream.asked)
    engine.says("One.")
    path, body = "/v1/actions/", {"action": asked, "input": {"word": "it"}, **mode}
    first, again = await without_its_answer(engine, client, path, body, key)
    assert again.json["data_guid"] == first.json["data_guid"]

    async def done() -> bool:
        result = await client.get(f"/v1/data/{first.json['data_guid']}/result")
        return result["status"] == "SUCCESS"

    await eventually(done)
    assert len((await client.get(f"/v1/actions/{asked}/data"))["data"]) == 1
    assert len(engine.upstream.asked) == before + 1


async def test_a_gateway_killed_before_it_answered_leaves_one_of_what_was_made(engine: Engine) -> None:
    client = await engine.workspace("killed-nouns")
    app = (await client.post("/v1/apps", {"name": "Mine"}))["guid"]
    context = (await client.post("/v1/context", {"name": "Mine"}))["guid"]
    model = {"llm": "gpt-4o", "provider": "OpenAI", "key": "sk-1", "default": True}
    file = f"{engine.receiver.url}/a.txt"
    made: list[tuple[str, Any, str]] = [
        ("/v1/apps", {"name": "Made"}, "/v1/apps"),
        ("/v1/actions/create", {"name": "Made", "prompt": "Hi", "app": app}, f"/v1/apps/{app}/actions"),
        ("/v1/sessions", {"name": "Made"}, "/v1/sessions"),
        ("/v1/models", model, "/v1/models"),
        ("/v1/models/provider", {"provider": "Anthropic", "key": "sk-2"}, "/v1/models/provider"),
        ("/v1/context", {"name": "Made", "files": [file]}, "/v1/context"),
        (f"/v1/context/{context}/documents", {"text": "Made."}, f"/v1/context/{context}/documents"),
        (f"/v1/context/{context}/add_files", {"files": [file, file]}, f"/v1/context/{context}/documents"),
        ("/api/webhooks", {"url": engine.receiver.url, "events": ["plan.changed"]}, "/api/webhooks"),
    ]
    more = {f"/v1/context/{context}/add_files": 2}
    for path, body, listing in made:
        before = count(await client.get(listing))
        first, again = await without_its_answer(engine, client, path, body, f"killed-{path}")
        assert count(await client.get(listing)) == before + more.get(path, 1), path
        if "documents" in path:
            # It may have been indexed in between.
            assert again.json["guid"] == first.json["guid"]
        elif "add_files" not in path and "files" not in body:
            assert again.json == first.json, path
    models = await client.get("/v1/models")
    assert [each["llm"] for each in models if each["default"] and each["key"]] == ["gpt-4o"]
    assert (await client.get(f"/v1/apps/{app}/actions"))[0]["version"] == 1


def count(listing: Any) -> int:
    return len(listing["data"] if isinstance(listing, dict) else listing)


async def test_feedback_given_twice_with_one_key_counts_once_and_is_told_once(engine: Engine, key: str) -> None:
    client = await engine.workspace("killed-feedback")
    hook = await client.post("/api/webhooks", {"url": engine.receiver.url, "events": ["feedback.created"]})
    engine.says("Good?")
    run = await client.post("/v1/actions", {"action": await action(client), "input": {"word": "it"}})
    body = {"data_guid": run["data_guid"], "type": "rating", "value": 2}
    first, again = await without_its_answer(engine, client, "/v1/feedback", body, key)
    assert again.json == first.json
    other, same = await without_its_answer(engine, client, f"/v1/data/{run['data_guid']}", body, f"{key}-2")
    assert same.json == other.json
    assert (await client.get("/v1/feedback/?limit=10"))["total_count"] == 2

    async def deliveries() -> list[Any]:
        told = await client.get(f"/api/webhooks?action=deliveries&id={hook['id']}")
        return told["data"] if len(told["data"]) >= 2 else []

    assert len(await eventually(deliveries)) == 2


async def test_a_test_delivery_is_sent_once(engine: Engine, key: str) -> None:
    client = await engine.workspace("killed-ping")
    hook = await client.post("/api/webhooks", {"url": engine.receiver.url, "events": ["plan.changed"]})
    path = f"/api/webhooks?action=test&id={hook['id']}"
    first, again = await without_its_answer(engine, client, path, None, key)
    assert first.json["id"] == again.json["id"]
    told = await client.get(f"/api/webhooks?action=deliveries&id={hook['id']}")
    assert len(told["data"]) == 1


async def test_a_secret_is_shown_again_and_is_nowhere_to_be_read(engine: Engine, second: str, key: str) -> None:
    client = await engine.workspace("secret")
    body = {"url": engine.receiver.url, "events": ["*"]}
    first = await send(client, "/api/webhooks", body, key)
    again = await send(client, "/api/webhooks", body, key, url=second)
    assert again.headers["Idempotent-Replayed"] == "true"
    assert again.json["secret"] == first.json["secret"]
    row = await engine.database.fetchrow("SELECT * FROM effects WHERE key = $1", key)
    assert row is not None
    assert row["answer"]
    assert not any(first.json["secret"].encode() in value for value in row.values() if isinstance(value, bytes))
    await engine.database.execute(FORGET_ANSWER, key)
    assert (await send(client, "/api/webhooks", body, key)).json["secret"] == first.json["secret"]


async def test_two_workspaces_with_one_key_have_each_their_own(engine: Engine, key: str) -> None:
    one, other = await engine.workspace("key-one"), await engine.workspace("key-other")
    first, second = [await send(client, "/v1/apps", {"name": "Same"}, key) for client in (one, other)]
    assert first.json["guid"] != second.json["guid"]
    assert {first.status, second.status} == {200}
    assert first.json["workspace_id"] != second.json["workspace_id"]


async def test_an_upload_with_a_key_is_taken_in_once(engine: Engine, key: str) -> None:
    client = await engine.workspace("upload-once")
    first, again = await without_its_answer(
        engine, client, "/v1/context/presign", {"file_name": "a.txt"}, f"{key}-presign"
    )
    path = first.json["url"].removeprefix(engine.url)
    assert [(await send(client, path, form(b"A fact."), key)).status for _ in range(2)] == [204, 204]
    assert (await send(client, path, form(b"Another."), key)).status == 422
    context = (await client.post("/v1/context", {"name": "Files"}))["guid"]
    await client.post(f"/v1/context/{context}/add_files", {"files": [again.json["object_url"]]})

    async def read() -> bool:
        return (await client.post(f"/v1/context/{context}/status"))["status"] == "SUCCESS"

    await eventually(read)
    [document] = (await client.get(f"/v1/context/{context}/documents"))["data"]
    kept = await client.get(f"/v1/context/{context}/documents/{document['guid']}")
    assert kept["text"].strip() == "A fact."


def form(file: bytes) -> aiohttp.FormData:
    made = aiohttp.FormData()
    made.add_field("file", file, filename="a.txt")
    return made
