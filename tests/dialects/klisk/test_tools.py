"""Tools of a real run, of every kind, as Klisk's clients see them: in events, at once, on a socket, on the page."""

import json
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from tests.dialects.klisk.conftest import events
from tests.services.runner.toolcases import CITY, tool_site
from tests.support.chromium import Browser
from tests.support.engine import Client, Engine
from tests.support.engine import engine as started
from tests.support.mcp_server import mcp_server
from tests.support.provider import Answer, Call, calling
from tests.support.servers import Databases

pytestmark = pytest.mark.asyncio

REASON = {"type": "object", "properties": {"reason": {"type": "string"}}}
CALLS = (
    Call("c1", "weather", '{"city": "Zürich"}'),
    Call("c2", "plus", '{"a": 2, "b": 3}'),
    Call("c3", "broken", "{}"),
)
WEATHER = json.dumps({"weather": "sunny", "path": "/in/Zürich"})
BROKEN = "Tool 'broken' raised: the server answered 500: out of order"
SAID = {"message": "Well?"}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def engine(nats_url: str, databases: Databases, tmp_path_factory: Any) -> AsyncGenerator[Engine]:
    async with started(nats_url, databases, tmp_path_factory.mktemp("engine")) as engine:
        yield engine


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def client(engine: Engine) -> AsyncIterator[Client]:
    """Of a workspace whose one agent has a tool of each kind, and one that fails."""
    client = await engine.workspace("klisk-tools")
    app = await client.post("/v1/apps/", {"name": "App"})
    action = await client.post("/v1/actions/create", {"name": "Helper", "prompt": "{{q}}", "app": app["guid"]})
    async with tool_site() as site, mcp_server() as shop:
        http = {"type": "http", "method": "GET"}
        skills = [
            {"name": "weather", **http, "url": f"{site.url}/in/{{city}}", "parameters": CITY},
            {"name": "plus", "type": "mcp", "url": shop, "tool": "add"},
            {"name": "broken", **http, "url": f"{site.url}/status/500"},
        ]
        made = [(await client.post("/v1/skills/", skill))["guid"] for skill in skills]
        await client.ok("PUT", f"/v1/actions/{action['guid']}/skills", {"skills": made})
        yield client


@pytest.fixture(autouse=True)
def model(engine: Engine) -> None:
    """What it says to the next message: it calls its tools, and then answers."""
    engine.upstream.answers.clear()
    thinking = calling(*CALLS, pieces=("I look. ",), thoughts=("Hm.",))
    engine.upstream.plays(thinking, Answer(pieces=("It is ", "sunny.")))


def told(events: list[Any]) -> list[Any]:
    """With the pieces of a text, which come as the network has them, put together."""
    joined: list[Any] = []
    for event in events:
        if joined and event["type"] == joined[-1]["type"] == "token":
            joined[-1] = {"type": "token", "data": joined[-1]["data"] + event["data"]}
        else:
            joined.append(event)
    return joined


def expected(response_id: str) -> list[Any]:
    calls = [
        {"type": "tool_call", "data": {"tool": call.name, "arguments": call.arguments, "status": "running"}}
        for call in CALLS
    ]
    results = [{"type": "tool_result", "data": {"output": output}} for output in (WEATHER, "5", BROKEN)]
    return [
        {"type": "thinking", "data": "Hm."},
        {"type": "token", "data": "I look. "},
        *calls,
        *results,
        {"type": "token", "data": "It is sunny."},
        {"type": "done", "data": "I look. It is sunny.", "response_id": response_id},
    ]


async def test_a_stream_tells_each_call_and_each_result_in_klisks_spelling(engine, client):
    status, text = await client.call("POST", "/api/chat", SAID)
    run = engine.upstream.asked[-1]
    assert (status, run.results) == (200, {"c1": WEATHER, "c2": "5", "c3": BROKEN})
    heard = events(text)
    assert heard[-1] == "[DONE]"
    assert told(heard[:-1]) == expected(heard[-2]["response_id"])
    assert (
        r'data: {"type": "tool_call", "data": {"tool": "weather", "arguments": "{\"city\": \"Z\u00fcrich\"}",'
        r' "status": "running"}}'
    ) in text.splitlines()
    assert 'data: {"type": "tool_result", "data": {"output": "5"}}' in text.splitlines()


async def test_an_answer_at_once_holds_all_that_was_said_and_its_run_is_gone_on_from(engine, client):
    answer = await client.post("/api/chat", SAID | {"stream": False})
    assert (answer["response"], answer["done"]) == ("I look. It is sunny.", True)
    engine.says("Bye.")
    again = await client.post("/api/chat", {"message": "So?", "stream": False, "state": answer["state"]})
    assert again["response"] == "Bye."
    turns = [turn["content"] for turn in engine.upstream.asked[-1].body["messages"]]
    assert turns == ["Well?", "I look. It is sunny.", "So?"]


async def test_a_stream_that_is_read_again_tells_the_same_tools(client):
    _, text = await client.call("POST", "/api/chat", SAID)
    first = next(line for line in text.splitlines() if line.startswith("id:")).removeprefix("id: ")
    _, again = await client.call("POST", "/api/chat", {}, headers={"Last-Event-ID": first})
    assert told(events(again)[:-1]) == told(events(text)[:-1])


async def test_a_socket_tells_the_same_in_compact_json(client):
    async with client.session.ws_connect(f"{client.url}/ws/chat?key={client.key}") as socket:
        await socket.send_json(SAID)
        frames: list[str] = []
        while not frames or json.loads(frames[-1])["type"] not in ("done", "error"):
            frames.append(await socket.receive_str(timeout=60))
    heard = [json.loads(frame) for frame in frames]
    assert told(heard) == expected(heard[-1]["response_id"])
    assert (
        r'{"type":"tool_call","data":{"tool":"weather","arguments":"{\"city\": \"Zürich\"}","status":"running"}}'
        in frames
    )
    assert '{"type":"tool_result","data":{"output":"5"}}' in frames


async def test_the_last_word_of_an_answer_that_was_put_right_is_the_right_one(engine, client):
    schema = {"type": "object", "properties": {"age": {"type": "integer"}}, "required": ["age"]}
    wanted = {"type": "json_schema", "json_schema": {"name": "age", "schema": schema}}
    app = (await client.get("/v1/apps"))[0]["guid"]
    strict = {"name": "Strict", "prompt": "{{q}}", "app": app, "model_config": {"responseFormat": wanted}}
    await client.post("/v1/actions/create", strict)
    asked, wrong, right = SAID | {"agent_name": "Strict"}, Answer(pieces=("Age: ", "3")), Answer(pieces=('{"age": 3}',))
    engine.upstream.answers.clear()
    engine.upstream.plays(wrong, right, wrong, right)
    _, text = await client.call("POST", "/api/chat", asked)
    *said, done, end = told(events(text)[:-1]) + events(text)[-1:]
    assert said == [{"type": "token", "data": "Age: 3"}]
    assert (done["type"], done["data"], end) == ("done", '{"age": 3}', "[DONE]")
    answer = await client.post("/api/chat", asked | {"stream": False})
    assert (answer["response"], answer["done"]) == ('{"age": 3}', True)


async def test_the_chat_page_shows_what_was_asked_and_what_came_of_it(chromium: Browser, client):
    async with chromium.page() as page:
        await page.go(f"{client.url}/klisk/#key={client.key}")
        await page.until("document.getElementById('status').textContent === 'Ready'")
        await page.write("Well?")
        await page.press("Enter")
        await page.until("document.querySelector('.agent .text')?.textContent === 'I look. It is sunny.'")
        shown = await page.value("[...document.querySelectorAll('.tool')].map(tool => tool.textContent)")
        assert shown == [
            f'weather · doneAsked with{{"city": "Zürich"}}Answered{WEATHER}',
            'plus · doneAsked with{"a": 2, "b": 3}Answered5',
            f"broken · failedAsked with{{}}Answered{BROKEN}",
        ]
        assert await page.value("document.querySelector('.thinking').textContent") == "Thought about itHm."
        assert page.complaints == []
