"""Aria: what she knows of the workspace when she is talked to, and what its people are told of by themselves."""

import asyncio
import json
from collections.abc import AsyncGenerator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio

from libs.bus.bus import Bus
from libs.contracts import automation_runs, automation_steps, automations, ids
from services.gateway.http import metrics
from tests.support import calling as calling_of
from tests.support.engine import Client, Engine
from tests.support.provider import Answer, Asked, Call, calling
from tests.support.waiting import eventually, until

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
        read = metrics.STREAMS._value.get()
    await until(lambda: metrics.STREAMS._value.get() < read)
    await asyncio.sleep(0.5)  # the runner hears of it
    gate.set()

    async def told() -> bool:
        return (await client.get("/v1/notifications?unread=true"))["unread_count"] == 1

    await eventually(told)
    (notice,) = (await client.get("/v1/notifications"))["data"]
    assert (notice["type"], notice["read"]) == ("aria_replied", False)
    conversation, message = notice["metadata"]["conversation_id"], notice["metadata"]["message_id"]

    reply = await client.post("/v1/chat", {"message": "And now?", "conversation_id": conversation})
    assert reply["conversation_id"] == conversation
    assert [said["content"] for said in engine.upstream.asked[-1].body["messages"]][1:3] == [
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


TOOLS = {"search_context", "search_contacts", "get_contact", "list_automations", "list_automation_runs"}


async def busy(engine: Engine, name: str) -> Client:
    """A workspace with a lead of today's and two of last week's, beside one of the same kind that is none of its."""
    for each in (f"{name}-stranger", name):
        client = await with_aria(engine, each)
        for lead, created in ((f"Ann Smith of {each}", "9 days"), (f"Bob Old of {each}", "8 days")):
            made = await client.post("/v1/contacts", {"name": lead, "email": f"{lead[:3]}@{each}.example"})
            await engine.database.execute(
                f"UPDATE contacts SET created_at = now() - interval '{created}' WHERE id = $1", ids.parse(made["id"])
            )
        lead = {"name": f"Cleo New of {each}", "company": "Acme", "tags": ["lead"], "proposal": "12 chairs"}
        await client.post("/v1/contacts", lead)
    return client


async def asks(engine: Engine, client: Client, question: str, *calls: Call) -> tuple[dict[str, str], list[Asked]]:
    """A message to Aria, whose model makes these calls in turn: what they told it, and what it was asked."""
    before = len(engine.upstream.asked)
    engine.upstream.plays(*(calling(call) for call in calls), Answer(pieces=("Done.",)))
    assert (await client.post("/v1/chat", {"message": question}))["content"] == "Done."
    asked = engine.upstream.asked[before:]
    return asked[-1].results, asked


async def of_our_own(engine: Engine, client: Client, **more: Any) -> None:
    """The workspace's model is another one."""
    model = {"provider": "Ours", "key": "k", "url": engine.upstream.openai_url, "default": True}
    await client.post("/v1/models/", model | more)


def call(name: str, **arguments: Any) -> Call:
    return Call(f"call_{name}", name, json.dumps(arguments))


async def test_aria_looks_up_todays_leads(engine: Engine) -> None:
    client, today = await busy(engine, "leads"), f"{datetime.now(UTC):%Y-%m-%d}"
    looks = call("search_contacts", created_since=today, created_until=today)
    results, asked = await asks(engine, client, "Summarise today's leads.", looks)
    assert asked[0].tools.keys() >= TOOLS
    assert f"Today is {datetime.now(UTC):%A}, {today} (UTC)." in asked[0].body["messages"][0]["content"]
    told = json.loads(results[looks.id])
    assert (told["today"], told["timezone"], told["total"], told["shown"]) == (today, "UTC", 1, 1)
    (lead,) = told["contacts"]
    assert (lead["name"], lead["company"], lead["tags"]) == ("Cleo New of leads", "Acme", ["lead"])
    assert lead["metadata"] == {"proposal": "12 chairs"}
    assert (await client.get(f"/v1/contacts/{lead['id']}"))["name"] == lead["name"]


async def test_aria_looks_up_whom_a_proposal_is_for(engine: Engine) -> None:
    client = await busy(engine, "proposal")
    finds = call("search_contacts", query="Smith")
    results, _ = await asks(engine, client, "Draft a follow-up email for the Smith proposal", finds)
    (found,) = json.loads(results[finds.id])["contacts"]
    for reads in (call("get_contact", id=found["id"]), call("get_contact", email="ann@PROPOSAL.example")):
        results, _ = await asks(engine, client, "And who is that?", reads)
        assert json.loads(results[reads.id]) == found
    assert found["name"] == "Ann Smith of proposal"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def bus(nats_url, databases) -> AsyncGenerator[Bus]:
    async with calling_of.gateway(nats_url, databases) as bus:
        yield bus


async def automated(client: Client, bus: Bus) -> automations.Automation:
    """The workspace has an active automation, which ran once, and a draft."""
    workspace = UUID((await client.get("/v1/apps"))[0]["workspace_id"])
    steps = [automation_steps.Step(automation_steps.Condition("{{ trigger.name }}", "equals", "Ann"))]
    made = [
        await bus.call(automations.CREATE, automations.CreateAutomation(workspace, name, steps, status=status))
        for name, status in (("Unfinished", automations.Status.DRAFT), ("Greet leads", automations.Status.ACTIVE))
    ]
    asked = automation_runs.TriggerAutomation(workspace, made[1].id, {"name": "Ann"})
    run = await bus.call(automation_runs.TRIGGER, asked)

    async def ran() -> bool:
        went = await bus.call(automation_runs.GET, automation_runs.GetRun(workspace, run.id))
        return went.status is automation_runs.RunStatus.COMPLETED

    await eventually(ran)
    return made[1]


async def test_aria_lists_the_automations_that_are_active_and_how_they_went(engine: Engine, bus: Bus) -> None:
    other = await with_aria(engine, "automated-stranger")
    await automated(other, bus)
    client = await with_aria(engine, "automated")
    automation = await automated(client, bus)
    lists = call("list_automations", status="active")
    results, _ = await asks(engine, client, "List all automations currently active.", lists)
    told = json.loads(results[lists.id])
    assert (told["total"], [each["name"] for each in told["automations"]]) == (1, ["Greet leads"])
    (active,) = told["automations"]
    assert (active["status"], active["trigger"], active["steps"]) == ("active", "manual", 1)
    assert active["id"] == ids.crockford("auto", automation.id)
    assert active["last_run"]

    question = "Summarise the last 3 client follow-ups and suggest next steps."
    for looks in (call("list_automation_runs", limit=3), call("list_automation_runs", automation_id=active["id"])):
        results, _ = await asks(engine, client, question, looks)
        (run,) = json.loads(results[looks.id])["runs"]
        assert (run["automation"], run["status"], run["steps_run"], run["error"]) == (
            "Greet leads",
            "completed",
            1,
            None,
        )

    await of_our_own(engine, client, llm="our-own", calls_tools=False)
    _, (asked,) = await asks(engine, client, "List all automations currently active.")
    system = asked.body["messages"][0]["content"]
    assert f"- Greet leads ({active['id']}): active, set off by manual, last run 20" in system
    assert "Automations: 2 in all." in system
    assert "- Greet leads completed, begun 20" in system


async def test_aria_is_the_app_that_is_made_the_default(engine: Engine) -> None:
    client = await with_aria(engine, "chosen")
    app = (await client.post("/v1/apps", {"name": "Other"}))["guid"]
    chosen = await client.ok("PUT", f"/v1/apps/{app}", {"default": True})
    assert chosen["default"] is True
    status, refused = await client.call("POST", "/v1/chat", {"message": "Who are you?"})
    assert (status, "no action" in refused["error"]["message"]) == (400, True)
    other = {"name": "Other", "prompt": "Another: {{message}}", "app": app}
    await client.post("/v1/actions/create", other)

    async def heard() -> str:
        await client.post("/v1/chat", {"message": "Who are you?"})
        return engine.upstream.asked[-1].body["messages"][-1]["content"]

    assert await heard() == "Another: Who are you?"
    assert [app["default"] for app in await client.get("/v1/apps")] == [False, True]
    await client.ok("PUT", f"/v1/apps/{app}", {"default": False})
    assert await heard() == "Who are you?"


async def test_aria_knows_nobody_of_another_workspace(engine: Engine) -> None:
    client, other = await busy(engine, "mine"), await busy(engine, "theirs")
    stranger = (await other.get("/v1/contacts"))["data"][0]
    for tries, said in (
        (call("get_contact", id=stranger["id"]), "There is no contact"),
        (call("get_contact", email=stranger["email"] or "ann@theirs.example"), "There is no contact"),
        (call("search_contacts", workspace_id=str(ids.new())), "invalid arguments"),
        (call("search_contacts", created_since="yesterday"), "no day"),
        (call("get_contact"), "give an id or an email"),
        (call("get_contact", id="nobody"), "is no id"),
    ):
        results, _ = await asks(engine, client, "Who is that?", tries)
        assert said in results[tries.id]
    everybody = call("search_contacts", limit=50)
    results, _ = await asks(engine, client, "Who is there?", everybody)
    assert "theirs" not in results[everybody.id]
    assert json.loads(results[everybody.id])["total"] == 3


async def test_what_she_is_told_is_bounded(engine: Engine) -> None:
    client = await with_aria(engine, "many")
    await of_our_own(engine, client, llm="gpt-4o-mini")
    for n in range(30):
        await client.post("/v1/contacts", {"name": f"Lead {n}", "notes": "called " * 120, "history": "y" * 20_000})
    looks = call("search_contacts", limit=50)
    results, _ = await asks(engine, client, "Who is there?", looks)
    told = json.loads(results[looks.id])
    assert len(results[looks.id]) < 20_000
    assert told["total"] == 30
    assert 10 < told["shown"] == len(told["contacts"]) < 30
    assert "1 more" in told["contacts"][0]["metadata"]["…"]
    assert told["contacts"][0]["name"] == "Lead 29"


async def test_a_model_that_calls_no_tools_is_told_what_there_is(engine: Engine) -> None:
    client = await busy(engine, "plain")
    for n in range(30):
        await client.post("/v1/contacts", {"name": f"Number {n}", "notes": "z" * 5000})
    await of_our_own(engine, client, llm="our-own", calls_tools=False)
    _, (asked,) = await asks(engine, client, "Draft a follow-up email for the Smith proposal")
    assert asked.tools == {}
    system, question = asked.body["messages"]
    assert question["content"] == "Draft a follow-up email for the Smith proposal"
    assert "Contacts: 33 in all, 31 of them made today" in system["content"]
    lines = [line for line in system["content"].splitlines() if line.startswith("- ")]
    assert lines[0].startswith("- Ann Smith of plain <Ann@plain.example>"), "whom the question mentions comes first"
    assert any(line.startswith("- Number 29 (cnt_") for line in lines)
    assert "stranger" not in system["content"]
    assert len(system["content"]) < 10_000
