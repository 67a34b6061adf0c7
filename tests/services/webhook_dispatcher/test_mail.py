"""Mail: what automations ask to be sent goes out over a real SMTP conversation, at least once, under one Message-ID."""

from collections.abc import AsyncIterator
from uuid import UUID

import pytest
import pytest_asyncio
from asyncpg import Record

from libs.contracts import errands, ids, workspaces
from libs.contracts.errands import MailAsked
from libs.runtime.service import Service
from services.webhook_dispatcher.mail.postman import QUEUED
from tests.services.webhook_dispatcher.test_notices import told
from tests.support.calling import state
from tests.support.mail_server import MailServer, mail_server
from tests.support.services import running
from tests.support.waiting import eventually

pytestmark = pytest.mark.asyncio

FROM = "Polyvox <polyvox@sender.example>"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def mails() -> AsyncIterator[MailServer]:
    async with mail_server() as server:
        yield server


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def postman(nats_url, databases, mails) -> AsyncIterator[Service]:
    url = f"smtp://127.0.0.1:{mails.port}?tls=none"
    async with running("webhook_dispatcher", nats_url, databases, smtp_url=url, mail_from=FROM) as service:
        yield service


@pytest.fixture(autouse=True)
def begins_anew(mails):
    mails.taken.clear()
    mails.answers.clear()
    mails.refuses.clear()


def mail(*to: str, **more) -> MailAsked:
    given = {"workspace_id": ids.new(), "subject": "Hello", "text": "How are you?\n", **more}
    return MailAsked(automation_id=ids.new(), run_id=ids.new(), to=list(to) or ["ann@acme.example"], **given)


async def find(service: Service, id: UUID) -> Record | None:
    return await service.database.fetchrow("SELECT * FROM mails WHERE id = $1", id)


async def row(service: Service, id: UUID) -> Record:
    found = await find(service, id)
    assert found is not None
    return found


async def ended(service: Service, id: UUID, status: str):
    async def has() -> bool:
        found = await find(service, id)
        return found is not None and found["status"] == status

    await eventually(has)
    return await service.database.fetch("SELECT * FROM mail_attempts WHERE mail_id = $1 ORDER BY number", id)


async def tried(service: Service, id: UUID, attempts: int) -> None:
    async def has() -> bool:
        found = await find(service, id)
        return found is not None and found["attempts"] == attempts

    await eventually(has)


async def due_now(service: Service, id: UUID) -> None:
    await service.database.execute("UPDATE mails SET due_at = now() WHERE id = $1", id)
    async with service.database.transaction() as connection:
        connection.wake_after(QUEUED)


async def test_a_mail_goes_out_once_as_it_was_asked_for(bus, postman, mails):
    fact = mail("ann@acme.example", subject="Über uns\r\nBcc: eve@evil.example", text="Grüße,\n.\nBye")
    event = ids.new()
    await state(bus, errands.MAIL_ASKED, fact, id=event)
    await state(bus, errands.MAIL_ASKED, fact, id=event)
    (taken,) = await mails.wait(1)
    (attempt,) = await ended(postman, event, "sent")
    message = taken.message
    assert (taken.sender, taken.recipients, taken.tls, taken.user) == (
        "polyvox@sender.example",
        ["ann@acme.example"],
        False,
        None,
    )
    assert (message["From"], message["To"]) == (FROM, "ann@acme.example")
    assert message["Subject"] == "Über uns Bcc: eve@evil.example"
    assert message["Bcc"] is None
    assert message.get_content().replace("\r\n", "\n").rstrip() == "Grüße,\n.\nBye"
    assert message["Message-ID"] == f"<{event}@sender.example>"
    assert message["Auto-Submitted"] == "auto-generated"
    assert (attempt["number"], attempt["error"]) == (1, None)
    kept = await row(postman, event)
    assert (kept["recipient"], kept["recipients"], kept["subject"], kept["text"]) == ("", [], "", "")
    await postman.bus.nudge(QUEUED)
    assert len(mails.taken) == 1


async def test_what_passes_is_tried_again_with_the_same_message(bus, postman, mails):
    mails.answers.extend(["451 4.7.1 Come back later", None])
    fact = mail()
    event = await state(bus, errands.MAIL_ASKED, fact)
    await tried(postman, event, 1)
    assert (await row(postman, event))["text"] == fact.text
    await due_now(postman, event)
    await tried(postman, event, 2)
    await due_now(postman, event)
    first, second, third = await ended(postman, event, "sent")
    assert (first["code"], first["error"]) == (451, "The mail server answered 451: 4.7.1 Come back later")
    assert (second["code"], second["error"]) == (None, "The mail server could not be reached, or broke off.")
    assert third["error"] is None
    assert len({taken.raw for taken in await mails.wait(3)}) == 1, "who got it twice sees that it is one"
    assert (await told(bus, fact.workspace_id)).total == 0


async def test_each_recipient_is_written_to_for_himself(bus, postman, mails):
    mails.refuses = {
        "gone@acme.example": "550 5.1.1 <gone@acme.example> No such user",
        "busy@acme.example": "450 4.2.1 Mailbox busy",
    }
    fact = mail("ann@acme.example", "gone@acme.example", "busy@acme.example", "ann@acme.example")
    event = await state(bus, errands.MAIL_ASKED, fact)
    of_gone, of_busy = ids.derived(event, 1), ids.derived(event, 2)
    (refused,) = await ended(postman, of_gone, "failed")
    await ended(postman, event, "sent")
    await tried(postman, of_busy, 1)
    mails.refuses.clear()
    await due_now(postman, of_busy)
    await ended(postman, of_busy, "sent")
    assert [taken.recipients for taken in mails.taken] == [["ann@acme.example"], ["busy@acme.example"]]
    assert {taken.message["Message-ID"] for taken in mails.taken} == {f"<{event}@sender.example>"}
    assert mails.taken[0].message["To"] == "ann@acme.example, gone@acme.example, busy@acme.example"
    assert refused["code"] == 550
    (notice,) = (await told(bus, fact.workspace_id)).items
    assert (notice.type, notice.metadata["run_id"]) == ("mail_failed", str(fact.run_id))
    assert notice.body == "To g…@acme.example: The mail server answered 550: 5.1.1 <…> No such user"


async def test_a_mail_that_used_up_its_schedule_has_failed_and_is_told_of(bus, postman, mails):
    mails.answers.extend(["452 4.3.1 Full"] * 5)
    fact = mail()
    event = await state(bus, errands.MAIL_ASKED, fact)
    for attempt in range(1, 5):
        await tried(postman, event, attempt)
        await due_now(postman, event)
    assert len(await ended(postman, event, "failed")) == 5
    assert [notice.type for notice in (await told(bus, fact.workspace_id)).items] == ["mail_failed"]


async def test_an_address_may_hold_any_letters(bus, postman, mails):
    event = await state(bus, errands.MAIL_ASKED, mail("jörg@äcme.example", "ann@acme.example"))
    for place in range(2):
        await ended(postman, ids.derived(event, place), "sent")
    assert {taken.recipients[0] for taken in mails.taken} == {"jörg@äcme.example", "ann@acme.example"}
    assert mails.taken[0].message["To"] == "jörg@äcme.example, ann@acme.example"


@pytest.mark.parametrize("to", ["no address", "a@b@c", "", "ann@acme.example\r\nRCPT TO:<eve@evil.example>"])
async def test_what_is_no_address_is_written_to_by_nobody(bus, postman, mails, to):
    event = await state(bus, errands.MAIL_ASKED, mail(to))
    (attempt,) = await ended(postman, event, "failed")
    assert attempt["error"] == "It can't be written: it is no e-mail address."
    assert mails.taken == []


async def test_a_killed_postmans_mail_is_taken_up_by_another(bus, postman, mails):
    mails.answers.append("451 Later")
    event = await state(bus, errands.MAIL_ASKED, mail())
    await tried(postman, event, 1)
    await postman.database.execute("UPDATE mails SET claimed_until = now() + interval '1 hour' WHERE id = $1", event)
    await due_now(postman, event)
    await postman.database.execute("UPDATE mails SET claimed_until = now() - interval '1 s' WHERE id = $1", event)
    await due_now(postman, event)
    await ended(postman, event, "sent")


async def test_one_workspaces_flood_does_not_hold_up_the_others(bus, postman, mails):
    flood = mail(*(f"n{n}@flood.example" for n in range(60)))
    other = mail("ann@acme.example")
    await state(bus, errands.MAIL_ASKED, flood, other)
    order = [taken.recipients[0] for taken in await mails.wait(61)]
    assert order.index("ann@acme.example") < 20, "some are under way already"


async def test_a_deleted_workspaces_mail_is_not_sent_any_more(bus, postman, mails):
    mails.answers.append("451 Later")
    fact = mail()
    event = await state(bus, errands.MAIL_ASKED, fact)
    await tried(postman, event, 1)
    await state(bus, workspaces.DELETED, workspaces.WorkspaceDeleted(fact.workspace_id))

    async def gone() -> bool:
        return await find(postman, event) is None

    await eventually(gone)
