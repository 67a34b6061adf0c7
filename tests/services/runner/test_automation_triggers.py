"""What sets automations off, and how often; what stops them, and what goes with them."""

import asyncio
from datetime import UTC, datetime, timedelta

import asyncpg
import msgspec
import pytest

from libs.bus.hear import Heard
from libs.contracts import (
    automation_runs,
    automations,
    contacts,
    documents,
    endpoints,
    errands,
    ids,
    limits,
    plans,
    workspaces,
)
from libs.contracts.automation_runs import RunStatus, TriggerAutomation
from libs.contracts.automation_steps import Notify, RunAction, Wait
from libs.contracts.automations import Automation, OnEvent, PageAutomations, Schedule, Status, UpdateAutomation
from libs.contracts.faults import Code
from libs.contracts.subjects import Stated
from libs.postgres.database import Connection
from services.runner.automations.happenings import under
from services.runner.automations.hearing import setting_off
from tests.services.runner.automating import ended, facts, fault, get, make, runs_of, told, trigger
from tests.services.runner.conftest import Caller, eventually
from tests.support.calling import state
from tests.support.provider import Answer
from tests.support.waiting import held_up

pytestmark = pytest.mark.asyncio

HELLO = Notify("Hello")
NOW, NOBODY = datetime(2026, 3, 11, tzinfo=UTC), ids.new()
FAILED = {
    "run_id": NOBODY,
    "automation_id": NOBODY,
    "automation_name": "Other",
    "status": RunStatus.FAILED,
    "steps_run": 0,
    "duration_ms": 1.0,
}


async def test_only_an_active_one_is_triggered_and_the_same_id_runs_once(caller, databases):
    made = await make(caller, HELLO)
    run_id = ids.new()
    asked = TriggerAutomation(caller.workspace_id, made.id, {"a": 1}, run_id)
    first, again = [await caller.bus.call(automation_runs.TRIGGER, asked) for _ in range(2)]
    assert first.id == again.id == run_id
    assert (await ended(caller, first)).payload == {"a": 1}
    assert [run.id for run in await runs_of(caller, made)] == [run_id]
    found = await caller.bus.call(automations.GET, get(caller, made.id))
    assert found.last_run_at == first.created_at
    for status in (Status.PAUSED, Status.DRAFT):
        await caller.bus.call(automations.UPDATE, UpdateAutomation(caller.workspace_id, made.id, status=status))
        assert (await fault(trigger(caller, made))).code is Code.CONFLICT


async def test_a_schedule_sets_off_one_run_for_each_time_and_one_for_all_that_were_missed(caller, databases):
    made = await make(caller, HELLO, trigger=Schedule("0 9 1 1 *"), timezone="Asia/Tokyo")
    assert made.next_at
    assert made.next_at.hour == 0, "nine o'clock in Tokyo"
    connection = await asyncpg.connect(databases.dsn("runner"))
    missed = datetime.now(UTC) - timedelta(days=1000)
    await connection.execute("UPDATE automations SET next_at = $2 WHERE id = $1", made.id, missed)
    await connection.close()
    found = await eventually(lambda: runs_of(caller, made), bool)
    assert [(run.trigger, run.payload) for run in found] == [("schedule", {"scheduled_at": missed.isoformat()})]
    await asyncio.sleep(1.2)
    assert len(await runs_of(caller, made)) == 1
    assert (await caller.bus.call(automations.GET, get(caller, made.id))).next_at == made.next_at
    paused = UpdateAutomation(caller.workspace_id, made.id, status=Status.PAUSED)
    assert (await caller.bus.call(automations.UPDATE, paused)).next_at is None


async def test_a_schedule_goes_by_the_clocks_of_its_workspace_unless_it_has_its_own(caller, bus):
    theirs = await make(caller, HELLO, trigger=Schedule("0 9 * * *"), timezone="UTC")
    own = await make(caller, HELLO, trigger=Schedule("0 9 * * *", "Asia/Tokyo"), timezone="UTC")
    assert [of.next_at.hour for of in (theirs, own) if of.next_at] == [9, 0]
    await state(bus, workspaces.TIMEZONE_CHANGED, workspaces.TimezoneChanged(caller.workspace_id, "Asia/Kolkata"))

    async def times():
        found = [await caller.bus.call(automations.GET, get(caller, of.id)) for of in (theirs, own)]
        return [(of.next_at.hour, of.next_at.minute) for of in found if of.next_at]

    assert await eventually(times, lambda told: told[0] != (9, 0)) == [(3, 30), (0, 0)]


async def test_an_event_sets_off_those_of_its_workspace_that_wait_for_it_once(caller, other, bus):
    exact = await make(caller, Notify("{{ trigger.contact_id }}"), trigger=OnEvent("contact.created"))
    prefix = await make(caller, HELLO, trigger=OnEvent("contact.*"))
    updated = await make(caller, HELLO, trigger=OnEvent("contact.updated"))
    paused = await make(caller, HELLO, trigger=OnEvent("*"), status=Status.PAUSED)
    theirs = await make(other, HELLO, trigger=OnEvent("contact.created"))
    contact_id, event_id = ids.new(), ids.new()
    for _ in range(2):
        await state(bus, contacts.CREATED, contacts.ContactCreated(caller.workspace_id, contact_id), id=event_id)
    run = await ended(caller, (await eventually(lambda: runs_of(caller, exact), bool))[0])
    assert run.trigger == "contact.created"
    assert run.payload == {"contact_id": str(contact_id), "event": "contact.created", "event_id": str(event_id)}
    assert run.steps[0].output["title"] == str(contact_id)
    await eventually(lambda: runs_of(caller, prefix), bool)
    await asyncio.sleep(0.3)
    assert [len(await runs_of(caller, of)) for of in (exact, prefix, updated, paused)] == [1, 1, 0, 0]
    assert not await runs_of(other, theirs)


def created_in(*callers: Caller, times: int) -> list[Heard[contacts.ContactCreated]]:
    facts = [contacts.ContactCreated(one.workspace_id, ids.new()) for _ in range(times) for one in callers]
    return [Heard(ids.new(), NOW, fact) for fact in facts]


async def test_many_events_at_once_set_off_each_that_waits_for_them_once_in_their_order(caller, other, bus):
    exact, prefix = [
        await make(caller, HELLO, HELLO, trigger=OnEvent(name)) for name in ("contact.created", "contact.*")
    ]
    theirs = await make(other, Wait(3600), trigger=OnEvent("contact.created"))
    last = await make(other, HELLO, trigger=OnEvent("contact.updated"))
    created = created_in(caller, other, times=30)
    batch = [Stated(one.id, one.at, msgspec.Raw(contacts.CREATED.pack(one.fact))) for one in created]
    for _ in range(2):
        await bus.state(contacts.CREATED.name, batch, str(ids.new()))
    await state(bus, contacts.UPDATED, contacts.ContactUpdated(other.workspace_id, ids.new(), ["name"]))
    await eventually(lambda: runs_of(other, last), bool)

    async def heard_by(one: Caller, of: Automation) -> list[str]:
        return [run.payload["event_id"] for run in reversed(await runs_of(one, of))]

    of_caller, of_other = [[str(one.id) for one in created[first::2]] for first in (0, 1)]
    assert await heard_by(other, theirs) == of_other
    assert [await heard_by(caller, of) for of in (exact, prefix)] == [of_caller, of_caller]
    run = await ended(caller, (await runs_of(caller, exact))[0])
    assert [(step.position, step.output["title"]) for step in run.steps] == [(0, "Hello"), (1, "Hello")]


async def test_many_events_at_once_take_as_many_statements_as_one(caller, other, runner):
    for one in (caller, other):
        await make(one, HELLO, trigger=OnEvent("contact.created"))
        await make(one, HELLO, HELLO, trigger=OnEvent("contact.*"))
    apply = setting_off(under("contact.created"))

    async def statements(connection: Connection, heard: list[Heard[contacts.ContactCreated]]) -> int:
        told: list[object] = []
        with connection.query_logger(told.append):
            await apply(connection, heard)
        return len(told)

    async with runner.database.transaction() as connection:
        await apply(connection, created_in(caller, times=1))  # what a connection asks once, it has asked
        few = await statements(connection, created_in(caller, times=1))
        many = await statements(connection, created_in(caller, other, times=40))
    assert few == many > 0


@pytest.mark.parametrize(
    ("name", "event", "fact"),
    [
        ("plan.changed", plans.CHANGED, {"plan": "pro", "before": "free"}),
        (
            "usage.limit_reached",
            limits.REACHED,
            {"kind": "requests_per_minute", "limit": 20, "plan": "free", "begins": NOW, "ends": NOW},
        ),
        ("webhook.disabled", endpoints.DISABLED, {"endpoint_id": NOBODY}),
        ("test.ping", endpoints.TESTED, {"endpoint_id": NOBODY}),
        ("document.failed", documents.FAILED, {"context_id": NOBODY, "document_id": NOBODY, "name": "a", "error": "b"}),
        ("automation.run.failed", automation_runs.FAILED, FAILED),
    ],
)
async def test_each_event_of_the_engine_sets_off_who_waits_for_it_by_its_public_name(caller, bus, name, event, fact):
    made = await make(caller, Notify("{{ trigger.event }}"), trigger=OnEvent(name))
    await state(bus, event, event.fact(caller.workspace_id, **fact))
    run = await ended(caller, (await eventually(lambda: runs_of(caller, made), bool))[0])
    assert (run.trigger, run.steps[0].output["title"]) == (name, name)


async def test_what_an_automation_causes_sets_it_off_no_second_time(caller, databases, upstream):
    """It runs an action, whose end is the event that it waits for."""
    action = await caller.action("{{question}}")
    upstream.plays(Answer(pieces=("Yes.",)), Answer(pieces=("Yes.",)))
    first = await make(caller, RunAction(action.id, {"question": "?"}), trigger=OnEvent("generation.completed"))
    await caller.run(action)
    found = await eventually(lambda: runs_of(caller, first), bool)
    assert (await ended(caller, found[0])).status is RunStatus.COMPLETED

    async def notices():
        return await facts(databases, errands.NOTICE_ASKED, caller.workspace_id)

    [notice] = await eventually(notices, bool)
    assert (notice.type, notice.automation_id, notice.run_id) == ("automation_stopped", first.id, None)
    assert len(await runs_of(caller, first)) == 1


async def test_a_chain_of_automations_ends_after_five(caller, bus, databases):
    made = await make(caller, HELLO, trigger=OnEvent("contact.updated"))
    led = [ids.new() for _ in range(5)]
    for chain in (led, led[:4]):
        fact = contacts.ContactUpdated(caller.workspace_id, ids.new(), ["name"], chain)
        await state(bus, contacts.UPDATED, fact)
    found = await eventually(lambda: runs_of(caller, made), bool)
    assert [run.chain for run in found] == [[*led[:4], made.id]]
    told = await eventually(lambda: facts(databases, errands.NOTICE_ASKED, caller.workspace_id), bool)
    assert [notice.type for notice in told if notice.run_id is None] == ["automation_stopped"]


async def test_automations_set_each_other_off_a_thousand_times_a_minute_at_most(caller, bus, databases):
    busy, made = await make(caller, HELLO), await make(caller, HELLO, trigger=OnEvent("contact.updated"))
    await have_been_set_off(databases, await trigger(caller, busy), times=999)
    one, other = [ids.new()], [ids.new()]
    for chain in (one, other, []):
        await state(bus, contacts.UPDATED, contacts.ContactUpdated(caller.workspace_id, ids.new(), ["name"], chain))
    found = await eventually(lambda: runs_of(caller, made), lambda runs: len(runs) == 2)
    assert [run.chain for run in found] == [[made.id], [*one, made.id]], "people and clients are stopped by none of it"
    told = await eventually(lambda: facts(databases, errands.NOTICE_ASKED, caller.workspace_id), bool)
    [notice] = [notice for notice in told if notice.run_id is None]
    assert "1,000 runs" in notice.body


async def have_been_set_off(databases, run, *, times):
    """By automations, within this minute, and within the next should that begin meanwhile."""
    connection = await asyncpg.connect(databases.dsn("runner"))
    await connection.execute(
        """INSERT INTO automation_runs (id, workspace_id, automation_id, automation_name, status, trigger, payload,
            chain, steps_total, created_at)
        SELECT gen_random_uuid(), workspace_id, automation_id, automation_name, 'completed', trigger, payload,
            ARRAY[$2, automation_id], 0, now() + interval '1 minute'
        FROM automation_runs, generate_series(1, $3) WHERE id = $1""",
        run.id,
        ids.new(),
        times,
    )
    await connection.close()


async def test_who_deletes_an_automation_a_contact_or_a_workspace_deletes_its_runs(caller, bus, databases):
    made, other = await make(caller, Wait(3600)), await make(caller, HELLO)
    contact_id = ids.new()
    about = await trigger(caller, made, contact_id=str(contact_id))
    kept = await trigger(caller, made)
    old = await ended(caller, await trigger(caller, other))
    await state(bus, contacts.ERASED, contacts.ContactsErased(caller.workspace_id, [contact_id]))

    async def ids_of(of):
        return {run.id for run in await runs_of(caller, of)}

    await eventually(lambda: ids_of(made), lambda left: about.id not in left)
    assert await ids_of(made) == {kept.id}
    expired = workspaces.WorkspaceExpired(caller.workspace_id, datetime.now(UTC) + timedelta(seconds=1))
    await state(bus, workspaces.EXPIRED, expired)
    await eventually(lambda: ids_of(other), lambda left: old.id not in left)
    assert await ids_of(made) == {kept.id}, "what goes on stays"
    await caller.bus.call(automations.DELETE, get(caller, made.id))
    assert (await fault(told(caller, kept.id))).code is Code.NOT_FOUND
    await state(bus, workspaces.DELETED, workspaces.WorkspaceDeleted(caller.workspace_id))
    await eventually(
        lambda: caller.bus.call(automations.PAGE, PageAutomations(caller.workspace_id)), lambda page: page.total == 0
    )
    connection = await asyncpg.connect(databases.dsn("runner"))
    left = await connection.fetchval(
        "SELECT count(*) FROM automation_steps WHERE workspace_id = $1", caller.workspace_id
    )
    await connection.close()
    assert left == 0


async def test_an_automation_is_deleted_in_the_midst_of_a_steps_end(caller, databases, caplog):
    made = await make(caller, Wait(0.2), HELLO)
    run = await trigger(caller, made)
    connection = await asyncpg.connect(databases.dsn("runner"))
    async with connection.transaction():
        await connection.execute("SELECT FROM automations WHERE id = $1 FOR UPDATE", made.id)
        await eventually(lambda: held_up(connection), bool)
        await connection.execute("DELETE FROM automations WHERE id = $1", made.id)
    await connection.close()
    assert (await fault(told(caller, run.id))).code is Code.NOT_FOUND
    assert not [record for record in caplog.records if record.exc_info]
