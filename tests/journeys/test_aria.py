"""Aria: what she knows of the workspace when she is talked to, and what its people are told of by themselves."""

import asyncio

import pytest

from libs.contracts import ids
from tests.support.engine import Client, Engine
from tests.support.provider import Answer
from tests.support.waiting import eventually

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def with_aria(engine: Engine, name: str) -> Client:
    client = await engine.workspace(name)
    app = (await client.post("/v1/apps", {"name": "Aria"}))["guid"]
    await client.post("/v1/actions/create", {"name": "Aria", "prompt": "{{message}}", "app": app})
    return client


async def test_an_answer_that_nobody_waited_for_any_more_is_a_notification(engine: Engine) -> None:
    client, gate = await with_aria(engine, "away"), asyncio.Event()
    engine.upstream.plays(Answer(gate=gate))
    asked, headers = {"message": "Think it over.", "stream": True}, {"Authorization": f"Bearer {client.key}"}
    headers["Idempotency-Key"] = str(ids.new())
    async with client.session.post(f"{client.url}/v1/chat", json=asked, headers=headers) as stream:
        await stream.content.readuntil(b"token")
    await asyncio.sleep(0.5)
    gate.set()

    async def told() -> bool:
        return (await client.get("/v1/notifications?unread=true"))["unread_count"] == 1

    await eventually(told)
    (notice,) = (await client.get("/v1/notifications"))["data"]
    assert (notice["type"], notice["read"]) == ("aria_replied", False)
    conversation, message = notice["metadata"]["conversation_id"], notice["metadata"]["message_id"]

    reply = await client.post("/v1/chat", {"message": "And now?", "conversation_id": conversation})
    assert reply["conversation_id"] == conversation
    assert [said["content"] for said in engine.upstream.asked[-1].body["messages"]][:2] == [
        "Think it over.",
        "Hello from the model.",
    ]
    marked = await client.ok("PATCH", "/api/notifications/read", {"ids": [notice["id"]]})
    assert marked == {"updated": 1, "unread_count": 0}
    assert [each["read"] for each in (await client.get("/v1/notifications"))["data"]] == [True]

    await client.ok("DELETE", f"/v1/data/{ids.parse(message)}")

    async def forgotten() -> bool:
        return (await client.get("/v1/notifications"))["total"] == 0

    await eventually(forgotten)
