"""What happened in a workspace, through several voices, is in its figures a moment later."""

from datetime import UTC, datetime
from typing import Any

import pytest

from tests.support.engine import Engine
from tests.support.waiting import eventually

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_chats_contacts_calls_and_webhooks_are_counted(engine: Engine) -> None:
    client, stranger = await engine.workspace("counted"), await engine.workspace("stranger")
    app = (await client.post("/v1/apps", {"name": "Aria"}))["guid"]
    action = await client.post("/v1/actions/create", {"name": "Aria", "prompt": "{{message}}", "app": app})
    await client.post("/klairo/api/webhooks", {"url": engine.receiver.url, "events": ["contact.created"]})
    for name in ("Ada", "Grace"):
        await client.post("/klairo/api/contacts", {"name": name})
    for message in ("Hello", "Bye"):
        await client.post("/klairo/api/chat", {"message": message})
    await client.post("/v1/actions/", {"action": action["guid"], "input": "of another voice"})
    note = {"type": "notify", "config": {"title": "Done", "body": "It ran."}}
    wanted = {"name": "Note", "status": "active", "trigger": "manual", "steps": [note]}
    automation = await client.post("/klairo/api/automations", wanted)
    await client.post(f"/klairo/api/automations/{automation['id']}/trigger")
    await client.call("GET", "/klairo/api/contacts/none-of-these")
    happened = {"chat_messages": 3, "automation_runs": 1, "contacts_created": 2, "webhooks_delivered": 2}

    async def figures() -> Any:
        """Asking is a call, too."""
        told = await client.get("/klairo/api/analytics?period=day")
        calls = told["summary"].pop("api_calls")
        return told if told["summary"] == happened and calls >= 11 else None

    told = await eventually(figures)
    (today,) = told["daily"]
    assert (today["date"], today["contacts_created"]) == (datetime.now(UTC).date().isoformat(), 2)
    assert (told["quota"]["plan"], told["quota"]["chat_used_today"]) == ("enterprise", 3)
    assert (await stranger.get("/klairo/api/analytics"))["summary"]["contacts_created"] == 0
