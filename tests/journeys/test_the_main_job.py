"""The main job: documents in, a grounded answer out, kept as a data point, rated, and a webhook delivered."""

import asyncio
import hashlib
import hmac
import json
from typing import Any

import pytest

from services.gateway.directory import keys
from tests.support.engine import Client, Engine
from tests.support.provider import Answer, refusal
from tests.support.waiting import eventually

pytestmark = pytest.mark.asyncio(loop_scope="session")

FACT = "The lighthouse at Sable Point was first lit in 1874 and stands 34 metres tall."


async def action(client: Client, prompt: str, *, context: str | None = None, **more: Any) -> str:
    app = await client.post("/v1/apps", {"name": "Journey"})
    body = {"name": "Ask", "prompt": prompt, "app": app["guid"], "action_type": "prompt", "description": "", **more}
    model = (await client.get("/v1/models"))[0]
    made = await client.post("/v1/actions/create", body | {"model": model["guid"]})
    if context:
        await client.ok("PUT", f"/v1/actions/{made['guid']}/context", {"context": [context]})
    return made["guid"]


async def context_with(client: Client, text: str, **metadata: Any) -> tuple[str, str]:
    context = await client.post("/v1/context", {"name": "Coast", "description": "Lighthouses", "type": "Custom"})
    path = f"/v1/context/{context['guid']}"
    document = await client.post(f"{path}/documents", {"text": text, "meta_data": metadata})

    async def indexed() -> bool:
        status = (await client.post(f"{path}/status"))["status"]
        assert status != "FAILURE"
        return status == "SUCCESS"

    await eventually(indexed)
    return context["guid"], document["guid"]


async def test_a_document_grounds_an_answer_that_is_kept_rated_and_announced(engine: Engine) -> None:
    client = await engine.workspace("main-job")
    hook = await client.post("/api/webhooks", {"url": f"{engine.receiver.url}/main-job", "events": ["*"]})
    context, document = await context_with(client, FACT, topic="coast")
    asked = await action(client, "Question: {{question}}", context=context)
    engine.says("It was first lit in 1874.")

    run = await client.post("/v1/actions", {"action": asked, "input": {"question": "When was Sable Point first lit?"}})

    assert run["msg"] == "It was first lit in 1874."
    assert FACT in json.dumps(engine.upstream.asked[-1].body)
    point = await client.get(f"/v1/data/{run['data_guid']}")
    assert point["completion"] == run["msg"]
    assert point["num_output_tokens"] > 0
    assert document in json.dumps(point["meta_data"])

    rated = await client.post("/v1/feedback", {"data_guid": run["data_guid"], "type": "rating", "value": 2})
    assert rated["value"] == 2
    assert (await client.get(f"/v1/data/{run['data_guid']}"))["feedback"][0]["guid"] == rated["guid"]

    async def told() -> dict[str, Any]:
        own = [each for each in engine.receiver.received if each.path.endswith("/main-job")]
        received = {json.loads(each.body)["event"]: each for each in own}
        return received if received.keys() >= {"document.indexed", "generation.completed", "feedback.created"} else {}

    for each in (await eventually(told)).values():
        digest = hmac.new(hook["secret"].encode(), each.body, hashlib.sha256).hexdigest()
        assert each.headers["X-KlairoAI-Signature"] == f"sha256={digest}"


async def test_every_token_of_a_stream_arrives_once_and_in_order(engine: Engine) -> None:
    client = await engine.workspace("streams")
    asked = await action(client, "Count.")
    words = [f"w{n} " for n in range(300)]
    engine.says(*words)

    started = await client.post("/v1/actions/", {"action": asked, "input": "", "streaming": True})
    assert started["streaming"] is True
    assert started["msg"]
    async with engine.session.get(started["streaming_url"]) as stream:
        lines = [line.removeprefix(b"data: ") async for raw in stream.content if (line := raw.strip())]
    events = [line for line in lines if not line.startswith((b"id:", b":"))]

    assert events[0] == b"BEGIN_STREAM"
    assert events[-1] == b"END_STREAM"
    assert "".join(json.loads(event)["token"] for event in events[1:-1]) == "".join(words)


async def test_a_session_remembers_what_was_said_before(engine: Engine) -> None:
    client = await engine.workspace("memory")
    asked = await action(client, "{{line}}")
    session = await client.post("/v1/sessions", {"action": asked, "name": "Talk"})
    for said, answer in (("My name is Ada.", "Hello Ada."), ("What is my name?", "Ada.")):
        engine.says(answer)
        await client.post("/v1/actions", {"action": asked, "input": {"line": said}, "session": session["guid"]})

    messages = engine.upstream.asked[-1].body["messages"]
    assert [message["content"] for message in messages][-3:] == ["My name is Ada.", "Hello Ada.", "What is my name?"]


async def test_an_async_run_is_polled_to_its_result(engine: Engine) -> None:
    client = await engine.workspace("polling")
    await client.post("/api/webhooks", {"url": engine.receiver.url, "events": ["generation.*"]})
    asked, gate = await action(client, "Say {{word}}."), asyncio.Event()
    engine.upstream.plays(Answer(pieces=("Lat", "er."), gate=gate))
    accepted = await client.post("/v1/actions/", {"action": asked, "input": {"word": "it"}, "async_mode": True})
    assert accepted["result_url"] == f"{engine.url}/v1/data/{accepted['data_guid']}/result"
    path = accepted["result_url"].removeprefix(engine.url)
    assert (await client.get(path))["status"] == "PENDING"
    gate.set()

    async def result() -> dict[str, Any] | None:
        answer = await client.get(path)
        return answer if answer["status"] == "SUCCESS" else None

    assert (await eventually(result))["msg"] == "Later."

    async def told() -> list[dict[str, Any]]:
        events = [json.loads(each.body) for each in engine.receiver.received]
        return [event for event in events if event["data"].get("run_id") == accepted["data_guid"]]

    [event] = await eventually(told)
    assert (event["event"], event["data"]["mode"]) == ("generation.completed", "async")


async def test_five_megabytes_in_and_three_out_pass_through_every_mode(engine: Engine) -> None:
    client = await engine.workspace("large")
    model = {
        "llm": "wide",
        "provider": "wide",
        "url": engine.upstream.openai_url,
        "key": "k",
        "context_window": 4_000_000,
    }
    wide = await client.post("/v1/models/", model)
    asked = await action(client, "Read {{text}}")
    await client.ok("PUT", f"/v1/actions/{asked}", {"model": wide["guid"]})
    question, answer = "word " * 1_000_000, "x" * 3_000_000
    body = {"action": asked, "input": {"text": question}}
    engine.says(answer)

    assert (await client.post("/v1/actions/", body))["msg"] == answer

    engine.says(answer)
    started = await client.post("/v1/actions/", body | {"streaming": True})
    async with engine.session.get(started["streaming_url"]) as stream:
        text = (await stream.read()).decode()
    tokens = [json.loads(line[6:])["token"] for line in text.splitlines() if line.startswith('data: {"token"')]
    assert "".join(tokens) == answer

    engine.says(answer)
    accepted = await client.post("/v1/actions/", body | {"async_mode": True})
    path = accepted["result_url"].removeprefix(engine.url)

    async def result() -> Any:
        polled = await client.get(path)
        return polled if polled["status"] == "SUCCESS" else None

    assert (await eventually(result))["msg"] == answer


async def test_a_cached_answer_is_a_data_point_of_its_own(engine: Engine) -> None:
    client = await engine.workspace("cache")
    asked = await action(client, "Name a {{thing}}.")
    body = {"action": asked, "input": {"thing": "colour"}, "cache": True}
    engine.says("Blue.")
    first = await client.post("/v1/actions", body)
    seen = len(engine.upstream.asked)
    second = await client.post("/v1/actions", body)

    assert len(engine.upstream.asked) == seen
    assert second["msg"] == first["msg"]
    assert second["data_guid"] != first["data_guid"]
    stranger = await engine.workspace("cache-stranger")
    elsewhere = await action(stranger, "Name a {{thing}}.")
    engine.says("Red.")
    assert (await stranger.post("/v1/actions", body | {"action": elsewhere}))["msg"] == "Red."


async def test_a_failing_model_is_a_clear_error_and_a_failed_data_point(engine: Engine) -> None:
    client = await engine.workspace("failing")
    asked = await action(client, "Go.")
    engine.upstream.plays(refusal(400, "the context is too long for this model"))

    status, answer = await client.call("POST", "/v1/actions", {"action": asked, "input": ""})

    assert status in (422, 502)
    assert "the context is too long for this model" in answer["message"]
    points = await client.get(f"/v1/actions/{asked}/data")
    newest = (points["data"] if isinstance(points, dict) else points)[0]
    assert newest["meta_data"]["status"] == "failed"


async def test_a_revoked_key_is_refused_everywhere_within_a_second(engine: Engine) -> None:
    client = await engine.workspace("revoked")
    await client.get("/v1/apps")
    async with engine.database.transaction() as connection:
        newest = await connection.fetchval("SELECT id FROM api_keys ORDER BY id DESC LIMIT 1")
        await keys.revoke(connection, newest)
    await asyncio.sleep(1.1)
    status, _ = await client.call("GET", "/v1/apps")
    assert status == 401
