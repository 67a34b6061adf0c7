"""Who is told when deliveries fail for good, and what an endpoint that fails everything comes to."""

from datetime import UTC, datetime

import pytest
from msgspec import structs

from libs.contracts import automation_runs, contacts, endpoints, errands, feedback, ids, notifications, runs
from libs.contracts.faults import Code, Failure
from tests.services.webhook_dispatcher.conftest import due_now, rated, settled
from tests.support.calling import state
from tests.support.receiver import receiver
from tests.support.waiting import eventually

pytestmark = [pytest.mark.asyncio, pytest.mark.usefixtures("dispatcher")]


async def told(bus, workspace, *, unread: bool = False) -> notifications.Notifications:
    return await bus.call(notifications.PAGE, notifications.PageNotifications(workspace, unread))


async def used_up(bus, dispatcher, endpoint) -> None:
    """One more delivery to it fails for good."""
    event = await state(bus, feedback.CREATED, rated(endpoint.workspace_id))
    for attempt in range(1, 5):
        await due_now(dispatcher, (await settled(bus, endpoint, attempts=attempt, event=event)).id)
    await settled(bus, endpoint, attempts=5, event=event)


async def listed(bus, endpoint) -> endpoints.Endpoint:
    items = (await bus.call(endpoints.PAGE, endpoints.PageEndpoints(endpoint.workspace_id))).items
    return next(each for each in items if each.id == endpoint.id)


async def test_deliveries_that_fail_for_good_are_told_once_a_day_with_how_many(bus, dispatcher, subscribe):
    workspace = ids.new()
    async with receiver() as r:
        r.answer(500)
        endpoint = (await subscribe(workspace, r.url)).endpoint
        await used_up(bus, dispatcher, endpoint)
        (first,) = (await told(bus, workspace)).items
        assert await bus.call(notifications.READ, notifications.MarkRead(workspace)) == notifications.Marked(1, 0)
        await used_up(bus, dispatcher, endpoint)
        last = await settled(bus, endpoint, attempts=5)
    page = await told(bus, workspace, unread=True)
    assert (page.total, page.unread) == (1, 1)
    (again,) = page.items
    assert (first.id, first.times, first.type) == (again.id, 1, "webhook_failed")
    assert (again.times, again.read) == (2, False)
    assert again.metadata["delivery_id"] == str(last.id)
    assert r.url in again.body
    assert (await listed(bus, endpoint)).status == "active"


async def test_an_endpoint_that_failed_everything_for_five_days_is_disabled_and_told_of(bus, dispatcher, subscribe):
    workspace = ids.new()
    async with receiver() as r, receiver() as other:
        r.answer(500)
        endpoint = (await subscribe(workspace, r.url, "feedback.*")).endpoint
        await subscribe(workspace, other.url, "webhook.disabled")
        await state(bus, feedback.CREATED, rated(workspace))
        await settled(bus, endpoint)
        assert (await listed(bus, endpoint)).failing_since is not None
        await pass_days(dispatcher, endpoint, "4 days 23 hours")
        await used_up(bus, dispatcher, endpoint)
        assert (await listed(bus, endpoint)).status == "active"
        await pass_days(dispatcher, endpoint, "2 hours")
        await used_up(bus, dispatcher, endpoint)
        assert (await listed(bus, endpoint)).status == "disabled"
        (heard,) = await other.wait(1)
    assert heard.headers["X-KlairoAI-Event"] == "webhook.disabled"
    assert [each.type for each in (await told(bus, workspace)).items].count("webhook_disabled") == 1
    waiting = await dispatcher.database.fetchval("SELECT count(*) FROM queue WHERE endpoint_id = $1", endpoint.id)
    assert waiting == 0


async def test_one_delivery_that_arrives_ends_the_count_of_days(bus, dispatcher, subscribe):
    workspace = ids.new()
    async with receiver() as r:
        r.answer(500, times=1)
        endpoint = (await subscribe(workspace, r.url)).endpoint
        await state(bus, feedback.CREATED, rated(workspace))
        failed = await settled(bus, endpoint)
        await pass_days(dispatcher, endpoint, "6 days")
        await due_now(dispatcher, failed.id)
        await settled(bus, endpoint, attempts=2)
    assert (await listed(bus, endpoint)).failing_since is None


async def test_an_endpoint_made_active_again_begins_anew(bus, dispatcher, subscribe):
    workspace = ids.new()
    async with receiver() as r:
        r.answer(410, times=1)
        endpoint = (await subscribe(workspace, r.url)).endpoint
        await state(bus, feedback.CREATED, rated(workspace))
        await settled(bus, endpoint)
        (notice,) = (await told(bus, workspace)).items
        assert (notice.type, (await listed(bus, endpoint)).status) == ("webhook_disabled", "disabled")
        change = endpoints.UpdateEndpoint(workspace, endpoint.id, status="active", description="mended")
        changed = await bus.call(endpoints.UPDATE, change)
        assert (changed.status, changed.description, changed.failing_since) == ("active", "mended", None)
        await state(bus, feedback.CREATED, rated(workspace))
        await r.wait(2)


async def pass_days(dispatcher, endpoint, interval: str) -> None:
    await dispatcher.database.execute(
        f"UPDATE endpoints SET failing_since = failing_since - interval '{interval}' WHERE id = $1", endpoint.id
    )


@pytest.mark.parametrize(
    ("more", "types"),
    [
        ({}, ["aria_replied"]),
        ({"status": runs.Status.FAILED}, ["aria_failed"]),
        ({"status": runs.Status.CANCELLED}, []),
        ({"unread": False}, []),
        ({"voice": "klu"}, []),
    ],
)
async def test_only_of_answers_that_she_gave_to_nobody_does_aria_tell(bus, dispatcher, more, types):
    workspace, session = ids.new(), ids.new()
    fact = finished(workspace, session_id=session, **{"voice": "klairo", "unread": True, **more})
    last = finished(workspace, session_id=session, voice="klairo", unread=True)
    await state(bus, runs.FINISHED, fact, last)

    async def heard() -> bool:
        return bool((await told(bus, workspace)).items)

    await eventually(heard)
    page = await told(bus, workspace)
    assert sorted(each.type for each in page.items) == sorted({*types, "aria_replied"})
    replied = next(each for each in page.items if each.type == "aria_replied")
    assert replied.times == 1 + types.count("aria_replied")
    assert replied.metadata == {"conversation_id": str(session), "message_id": str(last.run_id)}


def finished(workspace, **more) -> runs.RunFinished:
    return runs.RunFinished(
        **{
            "workspace_id": workspace,
            "run_id": ids.new(),
            "action_id": ids.new(),
            "status": runs.Status.SUCCEEDED,
            "mode": runs.Mode.BLOCKING,
            "model": "m",
            "provider": "p",
            "usage": runs.Usage(),
            "finished_at": datetime.now(UTC),
            **more,
        }
    )


AUTOMATION, RUN, CONTACT = ids.new(), ids.new(), ids.new()
WHICH = {"automation_id": str(AUTOMATION), "run_id": str(RUN)}


def went(workspace, **more) -> automation_runs.RunFinished:
    known = automation_runs.RunFinished(
        workspace, RUN, AUTOMATION, "Follow-up", automation_runs.RunStatus.COMPLETED, steps_run=2, duration_ms=5.0
    )
    return structs.replace(known, **more)


def said(workspace, type="automation", **more) -> errands.NoticeAsked:
    return errands.NoticeAsked(workspace, AUTOMATION, RUN, type, "A lead", "Call her.", {**WHICH, **more})


@pytest.mark.parametrize(
    ("event", "fact", "type", "body", "metadata", "each"),
    [
        (automation_runs.COMPLETED, went, "automation_completed", "Follow-up finished.", WHICH, False),
        (
            automation_runs.COMPLETED,
            lambda workspace: went(workspace, contact_id=CONTACT),
            "automation_completed",
            "Follow-up finished.",
            {**WHICH, "contact_id": str(CONTACT)},
            False,
        ),
        (
            automation_runs.FAILED,
            lambda workspace: went(workspace, failure=Failure(Code.UPSTREAM, "The server answered 500")),
            "automation_failed",
            "Follow-up failed: The server answered 500",
            WHICH,
            False,
        ),
        (errands.NOTICE_ASKED, said, "automation", "Call her.", WHICH, True),
        (
            errands.NOTICE_ASKED,
            lambda workspace: said(workspace, "automation_stopped"),
            "automation_stopped",
            "Call her.",
            WHICH,
            False,
        ),
        (
            errands.NOTICE_ASKED,
            lambda workspace: said(workspace, "a type that nobody knows", huge="x" * 20_000),
            "automation",
            "Call her.",
            {"automation_id": str(AUTOMATION)},
            True,
        ),
        (
            contacts.UPDATE_REFUSED,
            lambda workspace: contacts.UpdateRefused(workspace, AUTOMATION, RUN, CONTACT, "It has another's address."),
            "contact_refused",
            "It has another's address.",
            {**WHICH, "contact_id": str(CONTACT)},
            False,
        ),
    ],
)
async def test_what_happens_in_a_workspace_is_told_it(bus, dispatcher, event, fact, type, body, metadata, each):
    workspace = ids.new()
    await state(bus, event, fact(workspace))
    await state(bus, event, fact(workspace))

    async def heard() -> bool:
        return sum(notice.times for notice in (await told(bus, workspace)).items) == 2

    await eventually(heard)
    items = (await told(bus, workspace)).items
    assert [notice.times for notice in items] == ([1, 1] if each else [2]), "it happened twice"
    assert (items[0].type, items[0].body, items[0].metadata) == (type, body, metadata)


async def test_a_notification_goes_with_the_contact_that_it_tells_of(bus, dispatcher):
    workspace = ids.new()
    await state(bus, errands.NOTICE_ASKED, said(workspace), said(workspace, contact_id=str(CONTACT)))

    async def there(count: int) -> bool:
        return (await told(bus, workspace)).total == count

    await eventually(lambda: there(2))
    await state(bus, contacts.ERASED, contacts.ContactsErased(workspace, [CONTACT]))
    await eventually(lambda: there(1))
