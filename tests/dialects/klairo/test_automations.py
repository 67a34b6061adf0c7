"""KlairoAI's automations: its ids, its envelope, its statuses, over a real door; what they do is told in journeys."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec
import pytest

from libs.contracts import automation_runs, automations, ids
from libs.contracts.automation_runs import PageRuns, Run, RunStatus, StepRun, StepStatus, TriggerAutomation
from libs.contracts.automation_steps import Condition, HttpRequest, RunAction, SendEmail, Step, Wait
from libs.contracts.automations import (
    Automation,
    GetAutomation,
    Manual,
    OnEvent,
    PageAutomations,
    Schedule,
    Status,
    UpdateAutomation,
)
from libs.contracts.faults import Code, Failure, Fault, not_found
from libs.contracts.paging import Page, Slice
from services.gateway.contacts import book
from services.gateway.contacts.book import CreateContact
from services.gateway.contacts.store import Details
from services.gateway.plans import plans
from services.gateway.plans.store import Own, Put
from tests.services.gateway.peers import new_key

pytestmark = pytest.mark.asyncio

NOW = datetime(2026, 3, 10, 9, 15, tzinfo=UTC)
AUTOMATION, RUN, ACTION = (UUID(f"01a20000-0000-7000-8000-0000000000{n}") for n in (21, 22, 23))
AUTO, RUN_ID = ids.crockford("auto", AUTOMATION), ids.crockford("run", RUN)
ROOTS = ["/api/automations", "/v1/automations", "/klairo/api/automations", "/klairo/v1/automations"]
STEPS = [
    Step(RunAction(ACTION, {"question": "{{ trigger.q }}"}), "ask"),
    Step(HttpRequest("https://crm.example/", headers={"X-Key": "…"}), "step_2"),
]
automation = Automation(
    id=AUTOMATION,
    workspace_id=ids.new(),
    name="New Lead Follow-up",
    status=Status.ACTIVE,
    trigger=OnEvent("contact.created", "contact_created"),
    steps=STEPS,
    timezone="UTC",
    last_run_at=NOW,
    next_at=None,
    created_by=None,
    created_at=NOW,
    updated_at=NOW,
)
run = Run(
    id=RUN,
    workspace_id=ids.new(),
    automation_id=AUTOMATION,
    automation_name="New Lead Follow-up",
    status=RunStatus.FAILED,
    trigger="manual",
    payload={"q": 1},
    chain=[AUTOMATION],
    steps_run=1,
    steps_total=2,
    created_at=NOW,
    finished_at=NOW.replace(second=4),
    failure=Failure("UPSTREAM", "The server answered 500", "steps[1].config"),
    steps=[
        StepRun(ids.new(), 0, "ask", "run_action", StepStatus.COMPLETED, {"answer": "Yes"}, action_run_id=RUN),
        StepRun(ids.new(), 1, "step_2", "http_request", StepStatus.FAILED, failure=Failure("UPSTREAM", "No")),
    ],
)
LISTED = {
    "id": AUTO,
    "name": "New Lead Follow-up",
    "status": "active",
    "trigger": "contact_created",
    "trigger_config": {"event": "contact.created"},
    "steps": 2,
    "last_run": "2026-03-10T09:15:00Z",
    "next_run": None,
    "created_at": "2026-03-10T09:15:00Z",
    "updated_at": "2026-03-10T09:15:00Z",
}
NOTIFY = [{"type": "notify", "config": {"title": "Hi"}}]


@pytest.mark.parametrize("root", ROOTS)
async def test_automations_are_listed_as_the_page_shows(door, root):
    await door.peers.answer(automations.PAGE, Page([automation], 12))
    answer = await door.call("GET", f"{root}?status=active&trigger=contact_created&limit=500&offset=3")
    assert (answer.status, answer.json) == (200, {"data": [LISTED], "total": 12, "limit": 100, "offset": 3})
    wanted = PageAutomations(door.workspace_id, Status.ACTIVE, "contact.created", Slice(3, 100))
    assert door.peers.asked[-1] == wanted


async def test_one_alone_is_shown_with_what_its_steps_are(door):
    await door.peers.answer(automations.GET, automation)
    for spelled in (AUTO, str(AUTOMATION)):
        answer = await door.call("GET", f"/api/automations/{spelled}")
        assert door.peers.asked[-1] == GetAutomation(door.workspace_id, AUTOMATION)
    first, second = answer.json.pop("step_definitions")
    assert answer.json == LISTED
    assert first == {
        "name": "ask",
        "type": "run_action",
        "config": {"action_id": str(ACTION), "inputs": {"question": "{{ trigger.q }}"}},
    }
    assert (second["type"], second["config"]["headers"]) == ("http_request", {"X-Key": "…"})


@pytest.mark.parametrize(
    ("given", "trigger"),
    [
        ({}, Manual()),
        ({"trigger": "manual"}, Manual()),
        ({"trigger": "schedule", "trigger_config": {"cron": "0 9 * * *"}}, Schedule("0 9 * * *")),
        (
            {"trigger": "schedule", "trigger_config": {"cron": "0 9 * * *", "timezone": "Europe/Rome"}},
            Schedule("0 9 * * *", "Europe/Rome"),
        ),
        ({"trigger": "event", "trigger_config": {"event": "contact.created"}}, OnEvent("contact.created")),
        ({"trigger": "event", "trigger_config": {"event": "contact_created"}}, OnEvent("contact.created")),
        ({"trigger": "event", "trigger_config": {"event": "automation.*"}}, OnEvent("automation.*")),
        ({"trigger": "contact_created"}, OnEvent("contact.created", "contact_created")),
        ({"trigger": "contact.created"}, OnEvent("contact.created", "contact.created")),
    ],
)
async def test_each_trigger_is_understood_and_shown_as_it_was_given(door, given, trigger):
    await door.peers.answer(automations.CREATE, msgspec.structs.replace(automation, trigger=trigger))
    answer = await door.call("POST", "/api/automations", {"name": "N", "steps": NOTIFY, **given})
    assert answer.status == 201, answer.text
    assert door.peers.asked[-1].trigger == trigger
    assert answer.json["trigger"] == given.get("trigger", "manual")


async def test_steps_are_read_by_their_types(door):
    await door.peers.answer(automations.CREATE, automation)
    given = [
        {"type": "run_action", "name": "ask", "config": {"action_id": ids.crockford("act", ACTION), "inputs": "Hi"}},
        {"type": "wait", "config": {"seconds": 3600}},
        {"type": "send_email", "config": {"to": ["a@b.example"], "subject": "s", "text": "t"}},
        {"type": "send_email", "config": {"to": "a@b.example", "subject": "s", "body": "t"}},
        {"type": "condition", "config": {"left": "{{ trigger.n }}", "op": "at_least", "right": "3"}},
        {"type": "condition", "config": {"left": "{{ trigger.n }}", "op": "at_least", "right": 3.5}},
        {"type": "condition", "config": {"left": "{{ trigger.on }}", "op": "equals", "right": True}},
    ]
    assert (await door.call("POST", "/api/automations", {"name": "N", "steps": given})).status == 201
    assert door.peers.asked[-1].steps == [
        Step(RunAction(ACTION, "Hi"), "ask"),
        Step(Wait(3600)),
        Step(SendEmail(["a@b.example"], "s", "t")),
        Step(SendEmail(["a@b.example"], "s", "t")),
        Step(Condition("{{ trigger.n }}", "at_least", "3")),
        Step(Condition("{{ trigger.n }}", "at_least", "3.5")),
        Step(Condition("{{ trigger.on }}", "equals", "true")),
    ]


async def test_what_the_plan_and_the_workspace_say_goes_along(door):
    await door.peers.answer(automations.CREATE, Fault(Code.FORBIDDEN, "The plan has room for 9 automations."))
    key = await new_key(door.service, "Nine automations")
    async with door.service.database.transaction() as connection:
        await plans.change(
            connection, key.key.workspace_id, Put(await plans.find(connection, "growth"), Own(automations=9))
        )
        await connection.execute("UPDATE workspaces SET timezone = 'Asia/Tokyo' WHERE id = $1", key.key.workspace_id)
    answer = await door.call("POST", "/api/automations", {"name": "N", "steps": NOTIFY}, key=key.secret)
    assert (answer.status, answer.json["error"]["code"]) == (403, "FORBIDDEN")
    asked = door.peers.asked[-1]
    assert (asked.at_most, asked.timezone, asked.status) == (9, "Asia/Tokyo", Status.ACTIVE)
    await door.call("POST", "/api/automations", {"name": "N"}, key=key.secret)
    assert door.peers.asked[-1].status is Status.DRAFT, "without steps there is nothing to run yet"


async def test_a_change_names_what_changes(door):
    await door.peers.answer(automations.GET, automation)
    await door.peers.answer(automations.UPDATE, automation)
    path = f"/api/automations/{AUTO}"
    assert (await door.call("PATCH", path, {"status": "paused"})).status == 200
    assert door.peers.asked[-1] == UpdateAutomation(door.workspace_id, AUTOMATION, status=Status.PAUSED)
    await door.call("PATCH", path, {"trigger_config": {"event": "contact_created"}})
    assert door.peers.asked[-1].trigger == OnEvent("contact.created", "contact_created")
    await door.call("PATCH", path, {"name": "New", "steps": [], "trigger": "manual"})
    named = UpdateAutomation(door.workspace_id, AUTOMATION, name="New", steps=[], trigger=Manual())
    assert door.peers.asked[-1] == named


async def test_one_is_deleted_without_a_body(door):
    await door.peers.answer(automations.DELETE, automation)
    answer = await door.call("DELETE", f"/v1/automations/{AUTO}")
    assert (answer.status, answer.text) == (204, "")


async def test_a_trigger_is_accepted_with_a_payload_and_the_contact_it_is_about(door):
    await door.peers.answer(automation_runs.TRIGGER, msgspec.structs.replace(run, status=RunStatus.RUNNING))
    path = f"/api/automations/{AUTO}/trigger"
    answer = await door.call("POST", path, b"")
    assert (answer.status, answer.json) == (202, {"run_id": RUN_ID, "automation_id": AUTO, "status": "running"})
    assert door.peers.asked[-1] == TriggerAutomation(door.workspace_id, AUTOMATION)

    details = Details("Alex", "alex@acme.example")
    made = await book.create(door.service.database, CreateContact(door.workspace_id, details))
    body = {"payload": {"n": 1}, "contact_id": ids.crockford("cnt", made.id)}
    await door.call("POST", path, body, headers={"Idempotency-Key": "once"})
    asked = door.peers.asked[-1]
    assert (asked.payload["n"], asked.payload["contact_id"]) == (1, str(made.id))
    assert asked.id is not None
    nobody = await door.call("POST", path, {"contact_id": ids.crockford("cnt", ids.new())})
    assert nobody.status == 404


async def test_what_is_paused_is_a_conflict(door):
    await door.peers.answer(automation_runs.TRIGGER, Fault(Code.CONFLICT, "This automation is paused: activate it."))
    answer = await door.call("POST", f"/api/automations/{AUTO}/trigger")
    assert (answer.status, answer.json["error"]["code"]) == (409, "CONFLICT")


async def test_runs_are_listed_and_one_is_shown_with_its_steps(door):
    await door.peers.answer(automation_runs.PAGE, Page([run], 1))
    await door.peers.answer(automation_runs.GET, run)
    page = await door.call("GET", f"/api/automations/{AUTO}/runs?status=failed")
    assert door.peers.asked[-1] == PageRuns(door.workspace_id, AUTOMATION, RunStatus.FAILED, Slice(0, 20))
    listed = {
        "id": RUN_ID,
        "automation_id": AUTO,
        "automation_name": "New Lead Follow-up",
        "status": "failed",
        "trigger": "manual",
        "steps_run": 1,
        "steps": 2,
        "duration_ms": 4000.0,
        "error": {"code": "UPSTREAM", "message": "The server answered 500", "field": "steps[1].config"},
        "created_at": "2026-03-10T09:15:00Z",
        "finished_at": "2026-03-10T09:15:04Z",
    }
    assert page.json == {"data": [listed], "total": 1, "limit": 20, "offset": 0}
    whole = (await door.call("GET", f"/api/automations/{AUTO}/runs/{RUN_ID}")).json
    first, second = whole.pop("step_runs")
    assert whole == {**listed, "payload": {"q": 1}}
    assert (first["output"], first["run_id"], second["status"]) == ({"answer": "Yes"}, str(RUN), "failed")
    other = await door.call("GET", f"/api/automations/{ids.crockford('auto', ids.new())}/runs/{RUN_ID}")
    assert other.status == 404


def steps(*given: dict[str, Any]) -> dict[str, Any]:
    return {"name": "N", "steps": list(given)}


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "said"),
    [
        ("POST", "", {}, 400, "name"),
        ("POST", "", {"name": "N", "colour": "red"}, 400, "colour"),
        ("POST", "", {"name": "N", "status": "on"}, 400, "status"),
        ("POST", "", {"name": "N", "trigger": "never"}, 400, "trigger"),
        ("POST", "", {"name": "N", "trigger": "schedule"}, 400, "trigger_config.cron"),
        ("POST", "", {"name": "N", "trigger": "schedule", "trigger_config": {"cron": 5}}, 400, "trigger_config.cron"),
        ("POST", "", {"name": "N", "trigger": "manual", "trigger_config": {"cron": "x"}}, 400, "trigger_config.cron"),
        ("POST", "", {"name": "N", "trigger": "event", "trigger_config": {"spelled": "x"}}, 400, "spelled"),
        (
            "POST",
            "",
            {"name": "N", "trigger": "contact_created", "trigger_config": {"event": "contact.updated"}},
            400,
            "trigger_config.event",
        ),
        ("POST", "", steps({"type": "explode"}), 400, "steps[0].type"),
        ("POST", "", steps({"type": "wait", "config": {"secs": 1}}), 400, "steps[0].config.secs"),
        ("POST", "", steps(NOTIFY[0], {"type": "wait", "config": {"seconds": "1"}}), 400, "steps[1].config.seconds"),
        ("POST", "", steps({"type": "run_action", "config": {"action_id": "x"}}), 400, "steps[0].config.action_id"),
        ("POST", "", steps({"type": "http_request", "config": {"url": "a", "method": "X"}}), 400, "config.method"),
        ("POST", "", steps({"type": "send_email", "config": {"to": [1]}}), 400, "steps[0].config"),
        ("POST", "", steps({"type": "notify", "config": {"title": "a\0"}}), 400, "steps[0].config.title"),
        ("POST", "", steps({"type": "notify", "config": []}), 400, "steps[0].config"),
        ("POST", "", {"name": "N", "steps": 3}, 400, "steps"),
        ("POST", "", b"[]", 400, "object"),
        ("POST", "", b'{"name": "\\ud800"}', 400, ""),
        ("POST", "", b'{"name": "x", "trigger_config": ' + b'{"a":' * 5000 + b"1" + b"}" * 5000 + b"}", 400, "deep"),
        ("GET", "?status=on", None, 400, "status"),
        ("GET", "?limit=many", None, 400, "limit"),
        ("GET", "?trigger=%00", None, 400, "trigger"),
        ("GET", "/auto_nothing", None, 404, "auto_nothing"),
        ("POST", "/auto_nothing/trigger", None, 404, "auto_nothing"),
        ("GET", f"/{AUTO}/runs/x", None, 404, "run x"),
        ("GET", f"/{AUTO}/runs?status=on", None, 400, "status"),
        ("POST", f"/{AUTO}/trigger", {"payload": 3}, 400, "payload"),
        ("POST", f"/{AUTO}/trigger", {"n": 3}, 400, "n"),
        ("PUT", f"/{AUTO}", {}, 405, "method"),
    ],
)
async def test_what_does_not_fit_is_refused_in_the_envelope(door, method, path, body, status, said):
    answer = await door.call(method, f"/api/automations{path}", body)
    assert answer.status == status, answer.text
    assert answer.json["error"]["status"] == status
    assert said in answer.json["error"]["message"]


async def test_what_is_not_there_is_said_so(door):
    await door.peers.answer(automations.GET, not_found("automation", AUTOMATION))
    answer = await door.call("GET", f"/api/automations/{AUTO}")
    assert (answer.status, answer.json["error"]["code"]) == (404, "NOT_FOUND")
