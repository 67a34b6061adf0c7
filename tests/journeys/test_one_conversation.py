"""One conversation through all the voices that hold one: whoever goes on sees what was said in the others."""

import hashlib
import hmac
import json
from uuid import UUID

import pytest

from libs.contracts import ids
from tests.support.engine import Client, Engine
from tests.support.receiver import Received
from tests.support.waiting import eventually, until

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_a_session_begun_in_klu_goes_on_in_every_other_and_back(engine: Engine) -> None:
    client = await engine.workspace("one-conversation")
    app = (await client.post("/v1/apps", {"name": "Guide"}))["guid"]
    action = (await client.post("/v1/actions/create", {"name": "Guide", "prompt": "{{message}}", "app": app}))["guid"]
    session = (await client.post("/v1/sessions", {"action": action}))["guid"]
    said: list[str] = []

    def turn(question: str, answer: str) -> str:
        said.extend([question, answer])
        engine.says(answer)
        return question

    def heard() -> list[str]:
        messages = engine.upstream.asked[-1].body["messages"]
        return [message["content"] for message in messages if message["role"] != "system"]

    klu = {"action": action, "input": turn("I am Ada.", "Hello Ada."), "session": session}
    run = await client.post("/klu/v1/actions", klu)

    klisk = {"message": turn("I live in Rome.", "Nice."), "previous_response_id": f"resp_{run['data_guid']}"}
    await client.post("/klisk/api/chat", klisk | {"stream": False, "agent_name": "Guide"})
    assert heard() == said[:-1]

    llmstack = {"input": {"message": turn("I am 36.", "Noted.")}}
    run = await client.post(f"/llmstack/api/apps/{action}/run/{session}", llmstack)
    assert heard() == said[:-1]

    openai = {"model": "Guide", "input": turn("I play chess.", "Well.")}
    response = await client.post("/openai/v1/responses", openai | {"previous_response_id": f"resp_{run['_id']}"})
    assert heard() == said[:-1]

    openai = {"model": "Guide", "input": turn("And go.", "Well, well.")}
    await client.post("/openai/v1/responses", openai | {"previous_response_id": response["id"]})
    assert heard() == said[:-1]

    klairo = {"message": turn("I write.", "I see."), "conversation_id": ids.crockford("conv", UUID(session))}
    message = await client.post("/klairo/api/chat", klairo)
    assert (message["content"], message["conversation_id"]) == ("I see.", klairo["conversation_id"])
    assert heard() == said[:-1]

    klu = {"action": action, "input": turn("Who am I?", "Ada, of Rome."), "session": session}
    await client.post("/klu/v1/actions", klu)
    assert heard() == said[:-1]


async def test_who_goes_on_from_an_earlier_answer_branches_in_any_voice(engine: Engine) -> None:
    client: Client = await engine.workspace("branches")
    app = (await client.post("/v1/apps", {"name": "Guide"}))["guid"]
    await client.post("/v1/actions/create", {"name": "Guide", "prompt": "{{message}}", "app": app})
    engine.says("Left or right?")
    first = (await client.post("/openai/v1/responses", {"model": "Guide", "input": "Where?"}))["id"]
    for way in ("Left.", "Right."):
        body = {"model": "Guide", "input": way, "previous_response_id": first}
        await client.post("/openai/v1/responses", body)
        heard = [message["content"] for message in engine.upstream.asked[-1].body["messages"]]
        assert heard == ["Where?", "Left or right?", way]
    body = {"message": "Back.", "previous_response_id": first, "stream": False, "agent_name": "Guide"}
    await client.post("/klisk/api/chat", body)
    assert engine.upstream.asked[-1].body["messages"][-1]["content"] == "Back."
    assert len(engine.upstream.asked[-1].body["messages"]) == 3


async def test_aria_knows_the_contact_of_a_turn_and_her_reply_is_told_once(engine: Engine) -> None:
    client = await engine.workspace("aria")
    app = (await client.post("/v1/apps", {"name": "Aria"}))["guid"]
    await client.post("/v1/actions/create", {"name": "Aria", "prompt": "{{message}}", "app": app})
    hook = await client.post("/api/webhooks", {"url": engine.receiver.url, "events": ["chat.message.created"]})
    contact = await client.post("/api/contacts", {"name": "Alex Johnson", "deal_value": 12000})

    engine.says("A deal of 12,000.")
    asked = {"message": "What is open?", "context": {"contact_id": contact["id"], "quarter": "Q3"}}
    first = await client.post("/klairo/v1/chat", asked)
    system, question = engine.upstream.asked[-1].body["messages"]
    assert json.loads(system["content"].partition("JSON:\n")[2]) == asked["context"] | {"contact": contact}
    assert question["content"] == "What is open?"

    engine.says("Call him.")
    second = {"message": "And now?", "conversation_id": first["conversation_id"]}
    assert (await client.post("/v1/chat", second))["conversation_id"] == first["conversation_id"]
    heard = [message["content"] for message in engine.upstream.asked[-1].body["messages"][1:]]
    assert heard == ["What is open?", "A deal of 12,000.", "And now?"]

    async def told() -> bool:
        deliveries = (await client.get(f"/api/webhooks?action=deliveries&id={hook['id']}"))["data"]
        return [delivery["status"] for delivery in deliveries] == ["delivered"] * 2

    await eventually(told)
    bodies = [json.loads(got.body) for got in engine.receiver.received]
    replies = [body["data"] for body in bodies if body["event"] == "chat.message.created"]
    assert first["message_id"] in [reply["message_id"] for reply in replies]
    assert {reply["conversation_id"] for reply in replies} >= {first["conversation_id"]}


async def test_a_conversation_begun_in_klu_goes_on_in_klairoai_and_its_webhook_arrives(engine: Engine) -> None:
    client = await engine.workspace("klu-to-klairo")
    app = (await client.post("/v1/apps", {"name": "Support"}))["guid"]
    action = (await client.post("/v1/actions/create", {"name": "Help", "prompt": "{{message}}", "app": app}))["guid"]
    session = (await client.post("/v1/sessions", {"action": action}))["guid"]
    engine.says("Good morning.")
    await client.post("/v1/actions", {"action": action, "input": "Good morning!", "session": session})

    url = f"{engine.receiver.url}/klu-to-klairo"
    hook = await client.post("/v1/webhooks", {"url": url, "events": ["aria.message"]})
    engine.says("It is on its way.")
    conversation = ids.crockford("conv", UUID(session))
    reply = await client.post("/v1/chat", {"message": "Where is my order?", "conversation_id": conversation})
    heard = [message["content"] for message in engine.upstream.asked[-1].body["messages"][1:]]
    assert heard == ["Good morning!", "Good morning.", "Where is my order?"]

    def arrived() -> list[Received]:
        return [got for got in engine.receiver.received if got.path.endswith("/klu-to-klairo")]

    await until(lambda: bool(arrived()))
    (got,) = arrived()
    event = json.loads(got.body)
    assert (event["event"], got.headers["X-KlairoAI-Event"]) == ("aria.message", "aria.message")
    assert event["data"] == {
        "conversation_id": conversation,
        "message_id": reply["message_id"],
        "role": "assistant",
        "usage": reply["usage"],
    }
    digest = hmac.new(hook["secret"].encode(), got.body, hashlib.sha256).hexdigest()
    assert got.headers["X-KlairoAI-Signature"] == f"sha256={digest}"

    data = (await client.get(f"/v1/sessions/{session}/data"))["data"]
    assert [point["output"] for point in data] == ["It is on its way.", "Good morning."]
    assert UUID(data[0]["guid"]) == ids.parse(reply["message_id"])
