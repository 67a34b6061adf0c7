"""What the engine gives every voice, over OpenAI's addresses: resuming, idempotency, cancelling."""

import asyncio
import json
from typing import Any

import pytest

from libs.contracts import ids
from tests.services.runner.toolcases import CITY, tool_site
from tests.support.engine import Client
from tests.support.provider import Answer, Call, calling

pytestmark = pytest.mark.asyncio

CHAT = {"model": "Answer", "messages": [{"role": "user", "content": "Why?"}], "stream": True}
RESPONSE = {"model": "Answer", "input": "Why?", "stream": True}
WAYS = [("/openai/v1/chat/completions", CHAT), ("/openai/v1/responses", RESPONSE)]


def parsed(text: str) -> list[tuple[str, Any]]:
    """Of each event its id, and its data."""
    blocks = [dict(line.split(": ", 1) for line in block.splitlines()) for block in text.split("\n\n") if block]
    return [(block["id"], json.loads(block["data"]) if block["data"] != "[DONE]" else None) for block in blocks]


def said(events: list[tuple[str, Any]]) -> str:
    deltas = [data for _, data in events if data and data.get("type", "") == "response.output_text.delta"]
    choices = [choice for _, data in events if data for choice in data.get("choices", ())]
    return "".join([data["delta"] for data in deltas] + [choice["delta"].get("content", "") for choice in choices])


async def streamed(client: Client, path: str, body: Any, **headers: str) -> tuple[Any, list[tuple[str, Any]]]:
    headers["Authorization"] = f"Bearer {client.key}"
    async with client.session.post(client.url + path, json=body, headers=headers) as answer:
        return answer.headers, parsed(await answer.text())


@pytest.mark.parametrize(("path", "body"), WAYS)
async def test_a_stream_goes_on_after_the_last_event_that_was_seen_and_starts_nothing(made, engine, path, body):
    engine.upstream.plays(Answer(pieces=tuple(f"{n} " for n in range(30)), between=0.004))
    headers, events = await streamed(made.client, path, body)
    assert headers["X-Run-Id"] in events[0][0]
    asked = len(engine.upstream.asked)
    for at in (0, len(events) // 2, len(events) - 2):
        place = events[at][0]
        after = next(n for n in reversed(range(len(events))) if events[n][0] == place)
        _, rest = await streamed(made.client, path, body, **{"Last-Event-ID": place})
        assert said(events[: after + 1]) + said(rest) == said(events)
        assert rest[-1] == events[-1]
    assert len(engine.upstream.asked) == asked
    whole = {**body, "stream": False}
    status, answer = await made.client.call("POST", path, whole, headers={"Last-Event-ID": events[0][0]})
    assert (status, len(engine.upstream.asked)) == (200, asked)
    assert said(events) in json.dumps(answer)


@pytest.mark.parametrize(("path", "body"), WAYS)
async def test_one_key_is_one_run(made, engine, path, body):
    key = {"Idempotency-Key": f"key-{ids.new()}"}
    engine.says("Be", "cause.")
    first, events = await streamed(made.client, path, body, **key)
    asked = len(engine.upstream.asked)
    again, replayed = await streamed(made.client, path, body, **key)
    assert (first["X-Run-Id"], said(events)) == (again["X-Run-Id"], said(replayed))
    assert (again["Idempotent-Replayed"], len(engine.upstream.asked)) == ("true", asked)


async def test_a_response_that_goes_on_is_cancelled_and_its_stream_says_so(made, engine):
    engine.upstream.plays(Answer(pieces=("One", "two"), gate=asyncio.Event()))
    headers = {"Authorization": f"Bearer {made.client.key}"}
    url = made.client.url + "/openai/v1/responses"
    async with made.client.session.post(url, json=RESPONSE, headers=headers) as stream:
        async for line in stream.content:
            if b"output_text.delta" in line and line.startswith(b"data"):
                break
        cancelled = await made.client.post(f"/openai/v1/responses/resp_{stream.headers['X-Run-Id']}/cancel")
        rest = (await stream.content.read()).decode()
    assert (cancelled["status"], cancelled["output"][0]["content"][0]["text"]) == ("cancelled", "One")
    assert parsed(rest.partition("\n\n")[2])[-1][1]["response"]["status"] == "cancelled"


@pytest.mark.parametrize(("path", "body"), WAYS)
async def test_the_actions_own_tools_are_called_by_the_engine_and_the_answer_alone_is_told(made, engine, path, body):
    async with tool_site() as site:
        skill = {"name": f"weather_{ids.new().hex}", "type": "http", "method": "GET", "url": f"{site.url}/in/{{city}}"}
        weather = await made.client.post("/v1/skills/", {**skill, "parameters": CITY})
        asks = {"name": skill["name"], "prompt": "{{q}}", "app": made.app}
        action = await made.client.post("/v1/actions/create", asks)
        await made.client.ok("PUT", f"/v1/actions/{action['guid']}/skills", {"skills": [weather["guid"]]})
        engine.upstream.plays(calling(Call("c1", skill["name"], '{"city": "Bern"}')), Answer(pieces=("Sunny.",)))
        _, events = await streamed(made.client, path, {**body, "model": action["guid"]})
    assert "/in/Bern" in engine.upstream.asked[-1].results["c1"]
    assert said(events) == "Sunny."
    assert "Bern" not in json.dumps(events)


async def test_a_page_of_another_origin_may_ask(made):
    origin = {"Origin": "https://page.example", "Access-Control-Request-Headers": "authorization,x-stainless-os"}
    async with made.client.session.options(f"{made.client.url}/openai/v1/models", headers=origin) as answer:
        assert answer.headers["Access-Control-Allow-Origin"] == "https://page.example"
        assert "x-stainless-os" in answer.headers["Access-Control-Allow-Headers"]


@pytest.mark.parametrize(("path", "body"), WAYS)
async def test_another_workspaces_run_is_not_resumed(made, engine, path, body):
    engine.says("Secret.")
    _, events = await streamed(made.client, path, body)
    stranger = await engine.workspace(f"stranger-{ids.new()}")
    await stranger.post("/v1/actions/create", {"name": "Answer", "prompt": "x", "app": await app(stranger)})
    headers = {"Last-Event-ID": events[0][0]}
    status, answer = await stranger.call("POST", path, body, headers=headers)
    assert (status, "Secret" in json.dumps(answer)) == (404, False)


async def app(client: Client) -> str:
    return (await client.post("/v1/apps", {"name": "Own"}))["guid"]
