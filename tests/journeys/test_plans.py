"""A plan's day: what one voice used is used up in every other, its owner is told once, and a better plan helps."""

import json
from operator import itemgetter
from typing import Any

import pytest

from libs.postgres.database import Database
from services.gateway.directory.admin import arguments
from tests.support.engine import Engine
from tests.support.waiting import eventually

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def admin(database: Database, *words: str) -> None:
    command = arguments.parse(words)
    await command.work(database, command.options)


async def test_messages_of_a_plan_are_used_up_in_every_voice_and_another_plan_has_more(engine: Engine) -> None:
    client = await engine.workspace("thrifty")
    app = (await client.post("/v1/apps", {"name": "Guide"}))["guid"]
    action = (await client.post("/v1/actions/create", {"name": "Guide", "prompt": "{{message}}", "app": app}))["guid"]
    hook = {"url": f"{engine.receiver.url}/plans", "events": ["plan.changed", "usage.*"]}
    await client.post("/api/webhooks", hook)
    await admin(engine.database, "plans", "set", "thrifty", "starter", "--chat-messages-per-day", "2")

    async def heard(*events: str) -> list[dict[str, Any]]:
        """What the webhook was told, by the events' names, once these have come."""

        async def come() -> list[dict[str, Any]]:
            told = [json.loads(each.body) for each in engine.receiver.received if each.path.endswith("/plans")]
            told.sort(key=itemgetter("event"))
            return told if [each["event"] for each in told] == sorted(events) else []

        return await eventually(come)

    (changed,) = await heard("plan.changed")
    assert changed["data"] == {"plan": "starter", "previous_plan": "enterprise"}

    async def allowed() -> bool:
        return (await client.get("/v1/users/me"))["quota"]["chat_limit_daily"] == 2

    await eventually(allowed)
    assert (await client.post("/klairo/v1/chat", {"message": "Why?"}))["role"] == "assistant"
    asked = {"model": "Guide", "messages": [{"role": "user", "content": "Why?"}]}
    assert (await client.post("/openai/v1/chat/completions", asked))["object"] == "chat.completion"
    over = [
        await client.call("POST", "/klu/v1/actions", {"action": action, "input": "Why?"}),
        await client.call("POST", "/klisk/api/chat", {"message": "Why?", "stream": False, "agent_name": "Guide"}),
        await client.call("POST", f"/llmstack/api/apps/{app}/run", {"input": {"message": "Why?"}}),
        await client.call("POST", "/openai/v1/responses", {"model": "Guide", "input": "Why?"}),
        await client.call("POST", "/klairo/v1/chat", {"message": "Why?", "stream": True}),
    ]
    for status, body in over:
        assert (status, "plan's chat messages a day (2)" in json.dumps(body)) == (429, True)
    assert len(engine.upstream.asked) == 2, "no model was asked"

    _, reached = await heard("plan.changed", "usage.limit_reached")
    assert (reached["data"]["kind"], reached["data"]["limit"]) == ("chat_messages_per_day", 2)
    notices = (await client.get("/v1/notifications"))["data"]
    assert {each["type"] for each in notices} == {"usage_limit_reached", "plan_changed"}

    await admin(engine.database, "plans", "set", "thrifty", "growth")
    await heard("plan.changed", "usage.limit_reached", "plan.changed")

    async def answered() -> bool:
        status, _ = await client.call("POST", "/klairo/v1/chat", {"message": "And now?"})
        return status == 200

    assert await eventually(answered)
