"""A lead comes in, and an automation sees to it: the model is asked, the lead is written to, a system is told, and
whoever subscribed hears how it went.
"""

import json
from typing import Any

import pytest

from tests.support.engine import Client, Engine
from tests.support.waiting import eventually

pytestmark = pytest.mark.asyncio

ALEX = {"name": "Alex Johnson", "email": "alex@acme.example", "company": "Acme", "deal_value": 12000}


async def action(client: Client) -> str:
    app = await client.post("/v1/apps/", {"name": "Sales"})
    made = await client.post("/v1/actions/create", {"name": "Greet", "prompt": "{{lead}}", "app": app["guid"]})
    return made["guid"]


def follow_up(action: str, hook: str) -> list[dict[str, Any]]:
    mail = {"to": ["{{ trigger.contact.email }}"], "subject": "Hi", "text": "{{ steps.greet.answer }}"}
    asked = {"action_id": action, "inputs": {"lead": "{{ trigger.contact.name }}"}}
    crm = {"url": f"{hook}/crm", "body": {"deal": "{{ trigger.contact.metadata.deal_value }}"}}
    return [
        {"type": "condition", "config": {"left": "{{ trigger.contact.email }}"}},
        {"type": "run_action", "name": "greet", "config": asked},
        {"type": "wait", "config": {"seconds": 0.1}},
        {"type": "send_email", "config": mail},
        {"type": "http_request", "config": crm},
    ]


async def ended(client: Client, automation: str) -> dict[str, Any]:
    """Its first run, once it is over, with its steps."""

    async def over() -> Any:
        runs = (await client.get(f"/api/automations/{automation}/runs"))["data"]
        return next((run for run in runs if run["status"] != "running"), None)

    run = await eventually(over)
    return await client.get(f"/api/automations/{automation}/runs/{run['id']}")


async def test_a_lead_is_followed_up(engine: Engine):
    client = await engine.workspace("leads")
    hook = await client.post("/api/webhooks", {"url": engine.receiver.url, "events": ["automation.*"]})
    steps = follow_up(await action(client), engine.receiver.url)
    engine.says("Dear Alex!")
    wanted = {"name": "New Lead Follow-up", "trigger": "contact_created", "steps": steps}
    made = await client.post("/api/automations", wanted)
    assert (made["steps"], made["status"], made["trigger"]) == (5, "active", "contact_created")
    contact = await client.post("/api/contacts", ALEX)
    run = await ended(client, made["id"])
    assert run["status"] == "completed", run
    assert [step["status"] for step in run["step_runs"]] == ["completed"] * 5
    assert run["step_runs"][3]["output"] == {"to": ["alex@acme.example"], "subject": "Hi"}
    point = await client.get(f"/v1/data/{run['step_runs'][1]['run_id']}")
    assert point["output"] == "Dear Alex!"

    async def told() -> Any:
        deliveries = (await client.get(f"/api/webhooks?action=deliveries&id={hook['id']}"))["data"]
        return len(deliveries) == 2 and all(delivery["status"] == "delivered" for delivery in deliveries)

    await eventually(told)
    bodies = {one.path: json.loads(one.body) for one in engine.receiver.received if one.path.endswith("/crm")}
    assert bodies == {"/hook/crm": {"deal": 12000}}
    events = [json.loads(one.body) for one in engine.receiver.received if one.path == "/hook"]
    by_name = {event["event"]: event["data"] for event in events}
    assert by_name.keys() == {"automation.run", "automation.run.completed"}
    done = by_name["automation.run.completed"]
    assert (done.pop("duration_ms") > 100, done) == (
        True,
        {
            "run_id": run["id"],
            "automation_id": made["id"],
            "automation_name": "New Lead Follow-up",
            "contact_id": contact["id"],
            "status": "completed",
            "steps_run": 5,
        },
    )
    assert (await client.get("/api/automations"))["data"][0]["last_run"] is not None


async def test_what_is_wrong_is_refused_by_its_field_and_what_is_paused_is_not_triggered(engine: Engine):
    client = await engine.workspace("careful")
    steps = [
        {"type": "wait", "config": {"seconds": 1}},
        {"type": "http_request", "config": {"url": "http://169.254.169.254/latest"}},
    ]
    status, answer = await client.call("POST", "/api/automations", {"name": "Bad", "steps": steps})
    assert (status, answer["error"]["code"]) == (400, "BAD_REQUEST")
    assert "steps[1].config.url" in answer["error"]["message"]

    made = await client.post("/api/automations", {"name": "Fine", "steps": steps[:1]})
    path, once = f"/api/automations/{made['id']}", {"Idempotency-Key": "once"}
    first, again = [await client.call("POST", f"{path}/trigger", {}, headers=once) for _ in range(2)]
    assert first == again
    assert first[0] == 202
    await client.ok("PATCH", path, {"status": "paused"})
    status, answer = await client.call("POST", f"{path}/trigger")
    assert (status, answer["error"]["code"]) == (409, "CONFLICT")
    assert (await client.get(f"{path}/runs"))["total"] == 1

    other = await engine.workspace("curious")
    for method, where in (("GET", ""), ("PATCH", ""), ("DELETE", ""), ("POST", "/trigger"), ("GET", "/runs")):
        assert (await other.call(method, path + where, {} if method == "PATCH" else None))[0] == 404
    assert (await client.call("DELETE", path))[0] == 204
    assert (await client.call("GET", path))[0] == 404


async def test_automations_that_set_each_other_off_come_to_an_end(engine: Engine):
    """Each writes into the contact that changed: a change made by hand sets off both, and each of them the other."""
    client = await engine.workspace("loops")
    both = []
    for name in ("left", "right"):
        config = {"contact_id": "{{ trigger.contact_id }}", "fields": {name: "{{ run.id }}"}}
        steps = [{"type": "update_contact", "config": config}]
        made = await client.post("/api/automations", {"name": name, "trigger": "contact_updated", "steps": steps})
        both.append(f"/api/automations/{made['id']}/runs?status=completed")
    contact = await client.post("/api/contacts", ALEX)
    await client.ok("PATCH", f"/api/contacts/{contact['id']}", {"company": "Acme Inc"})

    async def runs() -> bool:
        return [(await client.get(path))["total"] for path in both] == [2, 2]

    async def stopped() -> Any:
        notices = (await client.get("/api/notifications"))["data"]
        return len([notice for notice in notices if notice["type"] == "automation_stopped"]) == 2

    await eventually(runs)
    await eventually(stopped)
    assert (await client.get(f"/api/contacts/{contact['id']}"))["metadata"].keys() == {"deal_value", "left", "right"}
    assert await runs(), "and nothing more"
