"""A conversation through Klisk's doors, begun and continued in Klu's: real services, a foreign model."""

import base64
import json
from typing import Any

import pytest

from tests.services.retrieval.readers.files import pdf
from tests.support.engine import Client, Engine
from tests.support.provider import Answer

pytestmark = pytest.mark.asyncio(loop_scope="session")

PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n1").decode()


async def agent(client: Client, name: str, **more: Any) -> str:
    app = await client.post("/v1/apps", {"name": f"App of {name}"})
    made = {"name": name, "prompt": "", "app": app["guid"], "action_type": "prompt", "description": "", **more}
    return (await client.post("/v1/actions/create", made))["guid"]


def heard(engine: Engine) -> list[tuple[str, str]]:
    """What the model was told last."""
    return [(message["role"], message["content"]) for message in engine.upstream.asked[-1].body["messages"]]


async def said(engine: Engine, client: Client, answer: str, **body: Any) -> Any:
    engine.says(answer)
    return await client.post("/api/chat", {"stream": False, **body})


async def test_a_session_of_klu_goes_on_in_klisk_and_back(engine: Engine) -> None:
    client = await engine.workspace("to-and-fro")
    action = await agent(client, "Guide")
    session = (await client.post("/v1/sessions", {"action": action}))["guid"]
    engine.says("One.")
    first = await client.post("/v1/actions", {"action": action, "input": "Count.", "session": session})
    reply = await said(
        engine, client, "Two.", message="On.", state={"previous_response_id": f"resp_{first['data_guid']}"}
    )
    assert heard(engine) == [("user", "Count."), ("assistant", "One."), ("user", "On.")]
    await said(engine, client, "Three.", message="On!", state=reply["state"])
    engine.says("Four.")
    await client.post("/v1/actions", {"action": action, "input": "On?", "session": session})
    assert [words for _, words in heard(engine)] == ["Count.", "One.", "On.", "Two.", "On!", "Three.", "On?"]


async def test_two_who_go_on_from_one_answer_do_not_see_each_other(engine: Engine) -> None:
    client = await engine.workspace("forking")
    await agent(client, "Guide")
    first = await said(engine, client, "Left or right?", message="Hello.")
    for way in ("Left.", "Right."):
        await said(engine, client, "So be it.", message=way, state=first["state"])
        assert [words for _, words in heard(engine)] == ["Hello.", "Left or right?", way]


async def test_a_socket_and_a_stream_are_one_conversation(engine: Engine) -> None:
    client = await engine.workspace("doors")
    await agent(client, "Guide")
    engine.says("Hi", "!")
    async with client.session.ws_connect(f"{engine.url}/ws/chat?key={client.key}") as socket:
        await socket.send_json({"message": "Hello."})
        told = json.loads(await socket.receive_str())
        while told["type"] != "done":
            told = json.loads(await socket.receive_str())
    assert told["data"] == "Hi!"
    engine.says("Bye", ".")
    body = {"message": "Bye.", "state": {"previous_response_id": told["response_id"]}}
    headers = {"Authorization": f"Bearer {client.key}"}
    async with client.session.post(f"{engine.url}/klisk/api/chat", json=body, headers=headers) as stream:
        lines = (await stream.text()).splitlines()
    assert [words for _, words in heard(engine)] == ["Hello.", "Hi!", "Bye."]
    assert [line for line in lines if line.startswith("data:")][-1] == "data: [DONE]"
    assert '"data": "Bye."' in next(line for line in lines if '"done"' in line)


async def test_an_answer_is_cancelled_over_a_socket_and_the_conversation_goes_on_from_it(engine: Engine) -> None:
    client = await engine.workspace("cancelling")
    await agent(client, "Guide")
    engine.upstream.plays(Answer(pieces=("Long", *(" and longer" for _ in range(500))), between=0.05))
    async with client.session.ws_connect(f"{engine.url}/ws/chat?key={client.key}") as socket:
        await socket.send_json({"message": "Tell."})
        assert json.loads(await socket.receive_str())["type"] == "token"
        await socket.send_json({"type": "cancel"})
        told = json.loads(await socket.receive_str())
        while told["type"] != "done":
            told = json.loads(await socket.receive_str())
        assert told["data"].startswith("Long")
        engine.says("Short.")
        await socket.send_json({"message": "Shorter."})
        assert json.loads(await socket.receive_str())["data"] == "Short."
    assert heard(engine)[:2] == [("user", "Tell."), ("assistant", told["data"])]


async def test_files_that_come_with_a_message(engine: Engine) -> None:
    client = await engine.workspace("files")
    here = {"provider": "here", "url": engine.upstream.openai_url, "key": "k"}
    await client.post("/v1/models/", {"llm": "blind", "default": True, **here})
    model = (await client.post("/v1/models/", {"llm": "gpt-4o", **here}))["guid"]
    await agent(client, "Reader")
    await agent(client, "Seer", model=model)
    document = base64.b64encode(pdf("The lamp is 31 m high.")).decode()
    attached = [{"mime_type": "application/pdf", "data": document, "name": "lamp.pdf"}]
    await said(engine, client, "31 m.", message="How high?", attachments=attached)
    assert heard(engine)[-1][1].startswith("How high?\n\nThe attached file lamp.pdf says:\n\nThe lamp is 31 m high.")
    picture = {"mime_type": "image/png", "data": PNG, "name": "cat.png"}
    asked = {"message": "What is it?", "stream": False, "attachments": [picture]}
    status, refused = await client.call("POST", "/api/chat", asked)
    assert status == 415
    assert "cat.png" in refused["error"]
    await said(engine, client, "A cat.", message="What is it?", agent_name="Seer", attachments=[picture])
    assert heard(engine)[-1][1][0] == {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}}
