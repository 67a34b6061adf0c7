"""Automations: what may be one, and what its steps do."""

import asyncio
import json
from datetime import timedelta

import asyncpg
import pytest
import pytest_asyncio

from libs.contracts import actions, automation_runs, automations, errands, ids, runs
from libs.contracts.automation_runs import RunStatus, StepStatus
from libs.contracts.automation_steps import (
    Condition,
    HttpRequest,
    Notify,
    RunAction,
    SendEmail,
    Step,
    UpdateContact,
    Wait,
)
from libs.contracts.automations import (
    CreateAutomation,
    Manual,
    OnEvent,
    PageAutomations,
    Schedule,
    Status,
    UpdateAutomation,
)
from libs.contracts.faults import Code, Fault
from tests.services.runner.automating import ended, facts, failure_of, fault, get, headers_of, make, ran, told, trigger
from tests.services.runner.conftest import eventually
from tests.support.provider import Answer
from tests.support.receiver import receiver

pytestmark = pytest.mark.asyncio

HELLO = Notify("Hello")
JSON = {"Content-Type": "application/json"}


@pytest_asyncio.fixture(loop_scope="session")
async def hook():
    async with receiver() as heard:
        yield heard


async def test_an_automation_is_kept_changed_listed_and_deleted(caller, other):
    made = await make(caller, HELLO, status=Status.DRAFT)
    assert (made.name, made.status, made.trigger) == ("Follow up", Status.DRAFT, Manual())
    assert made.steps == [Step(HELLO, "step_1")]
    assert (await fault(caller.bus.call(automations.GET, get(other, made.id)))).code is Code.NOT_FOUND

    change = UpdateAutomation(
        caller.workspace_id, made.id, status=Status.ACTIVE, trigger=OnEvent("contact.created", "contact_created")
    )
    changed = await caller.bus.call(automations.UPDATE, change)
    assert (changed.status, changed.trigger, changed.steps) == (Status.ACTIVE, change.trigger, made.steps)

    def listed(**of):
        return caller.bus.call(automations.PAGE, PageAutomations(caller.workspace_id, **of))

    assert (await listed()).items == [changed]
    assert (await listed(status=Status.ACTIVE, trigger="event")).total == 1
    assert (await listed(trigger="contact.created")).total == 1
    assert (await listed(status=Status.PAUSED)).total == (await listed(trigger="schedule")).total == 0
    assert await caller.bus.call(automations.DELETE, get(caller, made.id)) == changed
    assert (await fault(caller.bus.call(automations.GET, get(caller, made.id)))).code is Code.NOT_FOUND


async def test_one_that_could_not_run_any_more_can_still_be_paused_and_renamed(caller):
    action = await caller.action()
    made = await make(caller, RunAction(action.id, "Hi"))
    await caller.bus.call(actions.DELETE, actions.GetAction(caller.workspace_id, action.id))
    change = UpdateAutomation(caller.workspace_id, made.id, name="Old", status=Status.PAUSED)
    assert (await caller.bus.call(automations.UPDATE, change)).status is Status.PAUSED
    activate = UpdateAutomation(caller.workspace_id, made.id, status=Status.ACTIVE)
    refused = await fault(caller.bus.call(automations.UPDATE, activate))
    assert (refused.code, refused.field) == (Code.INVALID, "steps[0].config.action_id")


async def test_an_id_of_another_workspace_changes_nothing_there(caller, other):
    made = await make(caller, HELLO)
    wanted = CreateAutomation(other.workspace_id, "Mine", [Step(HELLO)], id=made.id)
    assert (await fault(other.bus.call(automations.CREATE, wanted))).code is Code.NOT_FOUND
    assert await caller.bus.call(automations.GET, get(caller, made.id)) == made


async def test_the_plan_says_how_many_there_may_be_also_to_those_made_at_once(caller):
    def one(**more):
        wanted = CreateAutomation(caller.workspace_id, "One", [Step(HELLO)], at_most=2, **more)
        return caller.bus.call(automations.CREATE, wanted)

    answers = await asyncio.gather(*(one() for _ in range(6)), return_exceptions=True)
    refused = [answer for answer in answers if isinstance(answer, Fault)]
    assert [fault.code for fault in refused] == [Code.FORBIDDEN] * 4
    same = next(answer for answer in answers if not isinstance(answer, BaseException))
    assert await one(id=same.id) == same, "the same id again makes nothing more"


@pytest.mark.parametrize(
    ("field", "steps", "more"),
    [
        ("name", [HELLO], {"name": " "}),
        ("steps", [], {}),
        ("steps[0].name", [Step(HELLO, "1st")], {}),
        ("steps[1].name", [Step(HELLO, "a"), Step(HELLO, "a")], {}),
        ("steps[0].config.action_id", [RunAction(ids.new())], {}),
        ("steps[1].config.url", [HELLO, HttpRequest("http://10.0.0.1/")], {}),
        ("steps[0].config.url", [HttpRequest("https://{{ trigger.host }}/")], {}),
        ("steps[0].config.headers", [HttpRequest("https://a.example/", headers={"Host": "b"})], {}),
        ("steps[0].config.timeout", [HttpRequest("https://a.example/", timeout=1e9)], {}),
        ("steps[0].config.body.a[1]", [HttpRequest("https://a.example/", body={"a": [1, "{{ nobody.x }}"]})], {}),
        ("steps[0].config.seconds", [Wait()], {}),
        ("steps[0].config.seconds", [Wait(float("nan"))], {}),
        ("steps[0].config.until", [Wait(until="tomorrow")], {}),
        ("steps[0].config.to", [SendEmail([], "s", "t")], {}),
        ("steps[0].config.to[0]", [SendEmail(["nobody"], "s", "t")], {}),
        ("steps[0].config.subject", [SendEmail(["a@b.example"], "", "t")], {}),
        ("steps[0].config.contact_id", [UpdateContact({"a": 1})], {}),
        ("steps[0].config.fields", [UpdateContact({}, email="a@b.example")], {}),
        ("steps[0].config.title", [Notify("")], {}),
        ("steps[0].config.title", [Notify("{% if %}")], {}),
        ("steps[0].config.title", [Notify("{{ steps.later.answer }}")], {}),
        ("steps[0].config.skip", [Condition("{{ trigger.x }}", otherwise="skip", skip=3), HELLO], {}),
        ("trigger_config.cron", [HELLO], {"trigger": Schedule("every day")}),
        ("trigger_config.cron", [HELLO], {"trigger": Schedule("0 0 31 2 *")}),
        ("trigger_config.timezone", [HELLO], {"trigger": Schedule("0 9 * * *", "Mars/Olympus")}),
        ("trigger_config.timezone", [HELLO], {"trigger": Schedule("0 9 * * *", "localtime")}),
        ("trigger_config.event", [HELLO], {"trigger": OnEvent("nothing.ever")}),
    ],
)
async def test_what_could_never_run_is_refused_by_its_field(caller, field, steps, more):
    given = [step if isinstance(step, Step) else Step(step) for step in steps]
    wanted = {"name": "Bad", "status": Status.ACTIVE} | more
    refused = await fault(
        caller.bus.call(automations.CREATE, CreateAutomation(caller.workspace_id, steps=given, **wanted))
    )
    assert (refused.code, refused.field) == (Code.INVALID, field)


@pytest.mark.parametrize("status", [Status.DRAFT, Status.ACTIVE])
async def test_a_schedule_that_is_none_is_refused_whatever_the_status_with_what_would_be_one(caller, status):
    wanted = CreateAutomation(caller.workspace_id, "Bad", [], trigger=Schedule("* * * * * * *"), status=status)
    refused = await fault(caller.bus.call(automations.CREATE, wanted))
    assert (refused.code, refused.field) == (Code.INVALID, "trigger_config.cron")
    assert "0 9 * * MON-FRI" in refused.message


async def test_what_headers_say_is_sealed_sent_and_never_shown(caller, databases, hook):
    request = HttpRequest(hook.url, headers={"Authorization": "Bearer very-secret", "X-Who": "{{ trigger.who }}"})
    made = await make(caller, Step(request, "call"))
    assert headers_of(made.steps[0]) == {"Authorization": "…", "X-Who": "…"}
    kept = UpdateAutomation(caller.workspace_id, made.id, name="Renamed", steps=made.steps)
    made = await caller.bus.call(automations.UPDATE, kept)
    run = await ran(caller, made, who="me")
    assert run.status is RunStatus.COMPLETED, run
    sent = hook.received[0].headers
    assert (sent["Authorization"], sent["X-Who"]) == ("Bearer very-secret", "me")
    connection = await asyncpg.connect(databases.dsn("runner"))
    rows = []
    for table in ("automations", "automation_runs", "automation_steps"):
        rows += await connection.fetch(f"SELECT * FROM {table} WHERE workspace_id = $1", caller.workspace_id)
    await connection.close()
    assert not any("very-secret" in str(value) for row in rows for value in row.values())


async def test_steps_run_in_their_order_and_know_what_came_before(caller, databases, upstream, hook):
    action = await caller.action("{{question}}")
    upstream.plays(Answer(pieces=('{"mood": "glad", "tags": ["a", "b"]}',)))
    hook.answer(200, JSON, body=b'{"items": [{"n": 1.5}]}')
    made = await make(
        caller,
        Step(RunAction(action.id, {"question": "How is {{ trigger.name }}?"}), "ask"),
        Step(HttpRequest(hook.url + "?who={{ trigger.name }}", body={"mood": "{{ steps.ask.parsed.mood }}"}), "post"),
        Step(Wait(0.2)),
        SendEmail(["{{ trigger.email }}"], "Hi {{ trigger.name }}", "{{ steps.ask.parsed.tags | join(' and ') }}"),
        UpdateContact(
            {"n": "{{ steps.post.body.items.0.n }}", "tags": "{{ steps.ask.parsed.tags }}"}, email="a@b.example"
        ),
        Notify("{{ automation.name }}", metadata={"mood": "{{ steps.ask.parsed.mood }}"}),
    )
    run = await ran(caller, made, name="Ann & Bob", email="ann@b.example")
    assert run.status is RunStatus.COMPLETED, run
    assert [step.status for step in run.steps] == [StepStatus.COMPLETED] * 6
    assert (run.steps_run, run.steps_total, run.trigger, run.chain) == (6, 6, "manual", [made.id])
    assert upstream.asked[-1].body["messages"][-1]["content"] == "How is Ann & Bob?"
    asked = await caller.get(run.steps[0].action_run_id)
    assert (asked.voice, asked.action_id) == ("automation", action.id)
    assert hook.received[0].path == "/hook?who=Ann%20%26%20Bob"
    assert json.loads(hook.received[0].body) == {"mood": "glad"}
    waited = run.steps[2]
    assert waited.started_at
    assert waited.finished_at
    assert waited.finished_at - waited.started_at >= timedelta(seconds=0.2)

    [mail] = await facts(databases, errands.MAIL_ASKED, caller.workspace_id)
    assert (mail.to, mail.subject, mail.text) == (["ann@b.example"], "Hi Ann & Bob", "a and b")
    [update] = await facts(databases, errands.CONTACT_UPDATE_ASKED, caller.workspace_id)
    assert (update.email, update.fields, update.chain) == ("a@b.example", {"n": 1.5, "tags": ["a", "b"]}, [made.id])
    [notice] = await facts(databases, errands.NOTICE_ASKED, caller.workspace_id)
    assert (notice.title, notice.metadata["mood"], notice.run_id) == ("Follow up", "glad", run.id)
    [begun] = await facts(databases, automation_runs.STARTED, caller.workspace_id)
    [over] = await facts(databases, automation_runs.COMPLETED, caller.workspace_id)
    assert begun.run_id == over.run_id == run.id
    assert (over.steps_run, over.chain) == (6, [made.id])
    [generation] = await facts(databases, runs.FINISHED, caller.workspace_id)
    assert generation.chain == [made.id]


async def test_a_condition_stops_the_run_or_leaves_steps_out(caller):
    rich = Condition("{{ trigger.value }}", "greater", "1000")
    stopping = await make(caller, rich, HELLO)
    assert [step.status for step in (await ran(caller, stopping, value=2000)).steps] == ["completed", "completed"]
    poor = await ran(caller, stopping, value="9")
    assert (poor.status, poor.steps_run) == (RunStatus.COMPLETED, 1)
    assert [(step.status, step.output) for step in poor.steps] == [("completed", {"met": False}), ("skipped", {})]

    there = Condition("{{ trigger.missing }}", "not_empty", otherwise="skip", skip=2)
    skipping = await make(caller, there, HELLO, HELLO, Notify("Always"))
    assert [step.status for step in (await ran(caller, skipping)).steps] == [
        "completed",
        "skipped",
        "skipped",
        "completed",
    ]


@pytest.mark.parametrize(
    ("kind", "payload", "says", "field"),
    [
        (Notify("{{ trigger.name }}"), {}, "There is no value for trigger.name.", "steps[0].config.title"),
        (Notify("{{ trigger.name }}"), {"b": 1, "a": 2}, "trigger.name: trigger has a, b.", "steps[0].config.title"),
        (Notify("{{ trigger.a.b + 1 }}"), {"a": {}}, "can't be rendered", "steps[0].config.title"),
        (Condition("{{ trigger.n }}", "less", "3"), {"n": "many"}, "no number", "steps[0].config.left"),
        (Wait(until="{{ trigger.at }}"), {"at": "soon"}, "no moment", "steps[0].config.until"),
        (SendEmail(["{{ trigger.to }}"], "s", "t"), {"to": "x"}, "no e-mail address", "steps[0].config.to[0]"),
        (HttpRequest("https://a.example/{{ trigger.x + '' }}"), {"x": "a b"}, "no spaces", "steps[0].config.url"),
        (
            HttpRequest("https://a.example/", headers={"X": "{{ trigger.x }}"}),
            {"x": "a\nb"},
            "can't be sent",
            "steps[0].config.headers",
        ),
        (UpdateContact({"a": 1}, "{{ trigger.id }}"), {"id": "x"}, "no id", "steps[0].config.contact_id"),
    ],
)
async def test_what_a_step_lacks_fails_the_run_and_says_where(caller, databases, kind, payload, says, field):
    made = await make(caller, kind, HELLO)
    run = await ran(caller, made, **payload)
    assert (run.status, run.steps_run) == (RunStatus.FAILED, 0)
    assert [step.status for step in run.steps] == ["failed", "skipped"]
    assert says in failure_of(run).message
    assert failure_of(run).field == field
    assert run.steps[0].failure == run.failure
    [over] = await facts(databases, automation_runs.FAILED, caller.workspace_id)
    assert says not in over.failure.message, "what went wrong may repeat what was said, and events stay"


async def test_a_mails_subject_is_one_short_line(caller, databases):
    made = await make(caller, SendEmail(["a@b.example"], "{{ trigger.about }}", "t"))
    run = await ran(caller, made, about="News\r\nBcc: c@d.example " + "x" * 1000)
    [mail] = await facts(databases, errands.MAIL_ASKED, caller.workspace_id)
    assert mail.subject == run.steps[0].output["subject"] == f"News Bcc: c@d.example {'x' * 278}"


async def test_a_notification_that_is_too_long_is_cut(caller, databases):
    made = await make(caller, Notify("{{ trigger.said }}", "{{ trigger.said }}"))
    assert (await ran(caller, made, said="é" * 100_000)).status is RunStatus.COMPLETED
    [notice] = await facts(databases, errands.NOTICE_ASKED, caller.workspace_id)
    assert (notice.title, notice.body) == ("é" * 300, "é" * 4000)


async def test_an_answer_that_is_no_text_is_a_body_of_nothing(caller, hook):
    hook.answer(200, {"Content-Type": "image/png"}, body=b"\x89PNG\0")
    run = await ran(caller, await make(caller, HttpRequest(hook.url)))
    assert (run.status, run.steps[0].output) == (RunStatus.COMPLETED, {"status": 200, "body": None})


async def test_what_nobody_could_take_apart_stays_text(caller, upstream, hook):
    deep = '{"a":' * 900 + "null" + "}" * 900
    hook.answer(200, JSON, body=b"null")
    hook.answer(200, JSON, body=deep.encode(), times=1)
    upstream.plays(Answer(pieces=(deep,)))
    asked, action = HttpRequest(hook.url, method="GET"), await caller.action()
    run = await ran(caller, await make(caller, asked, asked, RunAction(action.id, "Hi")))
    assert run.failure is None
    assert [step.output["body"] for step in run.steps[:2]] == [deep, None]
    assert (run.steps[2].output["answer"], "parsed" in run.steps[2].output) == (deep, False)


async def test_why_a_step_failed_is_kept_as_postgres_takes_it(caller, hook):
    hook.answer(404, {"Content-Type": "text/plain; charset=utf-7"}, body=b"no+AAA-such")
    run = await ran(caller, await make(caller, HttpRequest(hook.url, method="GET")))
    assert failure_of(run).message == "The server answered 404: no\ufffdsuch"


async def test_a_request_is_tried_again_under_one_key_where_that_may_help(caller, hook):
    made = await make(caller, HttpRequest(hook.url, body="plain"))
    hook.answer(503, times=1)
    run = await ran(caller, made)
    assert run.status is RunStatus.COMPLETED
    keys = {received.headers["Idempotency-Key"] for received in hook.received}
    assert (len(hook.received), keys) == (2, {f"{run.id}-step_1"})
    hook.answer(422, body=b"no such lead")
    refused = await ran(caller, made)
    assert failure_of(refused).message == "The server answered 422: no such lead"
    assert len(hook.received) == 3, "what a server refuses is not asked again"


async def test_a_workspace_has_so_many_steps_worked_on_at_once_and_keeps_no_other_waiting(caller, other, hook):
    busy, quick = await make(caller, HttpRequest(hook.url)), await make(other, HELLO)
    hook.answer(delay=4, times=16)
    begun = await asyncio.gather(*(trigger(caller, busy) for _ in range(18)))
    await hook.wait(16)
    assert (await ran(other, quick)).status is RunStatus.COMPLETED
    assert len(hook.received) == 16
    assert {(await ended(caller, run)).status for run in begun} == {RunStatus.COMPLETED}
    assert hook.most_at_once == 16


async def test_steps_that_were_left_undone_are_taken_up_again_and_hold_up_nothing(caller, runner, databases):
    """As after an outage of the database: they are the instance's still, which works on none of them."""
    waiting = [await trigger(caller, await make(caller, Wait(3600))) for _ in range(16)]
    for run in waiting:
        await eventually(lambda run=run: told(caller, run.id), lambda run: run.steps[0].status is StepStatus.WAITING)
    connection = await asyncpg.connect(databases.dsn("runner"))
    await connection.execute(
        """UPDATE automation_steps SET status = 'running', holder = $1, due_at = now() WHERE workspace_id = $2""",
        runner.instance,
        caller.workspace_id,
    )
    await connection.close()
    assert (await ran(caller, await make(caller, HELLO))).status is RunStatus.COMPLETED
    for run in waiting:
        await eventually(lambda run=run: told(caller, run.id), lambda run: run.steps[0].status is StepStatus.WAITING)


async def test_an_action_that_fails_fails_the_run(caller, upstream):
    action = await caller.action("{{question}}")
    upstream.plays(Answer(status=400, body=b'{"error": {"message": "no"}}'))
    run = await ran(caller, await make(caller, RunAction(action.id, {"question": "Why?"})))
    assert run.status is RunStatus.FAILED
    assert failure_of(run).message.startswith("The action failed: ")


async def test_a_run_that_several_set_off_at_once_under_one_id_is_one(caller, databases):
    made = await make(caller, HELLO)
    asked = automation_runs.TriggerAutomation(caller.workspace_id, made.id, {"n": 1}, ids.new())
    begun = await asyncio.gather(*(caller.bus.call(automation_runs.TRIGGER, asked) for _ in range(8)))
    assert {run.id for run in begun} == {asked.id}
    started = await facts(databases, automation_runs.STARTED, caller.workspace_id)
    assert [fact.run_id for fact in started] == [asked.id]
