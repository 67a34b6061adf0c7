"""What an automation asks others for is done: a mail, a contact's change, a notification."""

from collections.abc import AsyncGenerator
from typing import Any

import pytest
import pytest_asyncio

from tests.support.engine import Engine
from tests.support.engine import engine as started
from tests.support.mail_server import MailServer, mail_server
from tests.support.servers import Databases
from tests.support.waiting import eventually

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def mails() -> AsyncGenerator[MailServer]:
    async with mail_server() as server:
        yield server


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def engine(
    nats_url: str, databases: Databases, tmp_path_factory: Any, mails: MailServer
) -> AsyncGenerator[Engine]:
    mail = {"smtp_url": f"smtp://127.0.0.1:{mails.port}?tls=none", "mail_from": "Polyvox <polyvox@sender.example>"}
    async with started(nats_url, databases, tmp_path_factory.mktemp("engine"), webhook_dispatcher=mail) as engine:
        yield engine


async def test_a_new_lead_is_written_to_tagged_and_told_of(engine: Engine, mails: MailServer) -> None:
    client = await engine.workspace("leads")
    hook = await client.post("/v1/webhooks", {"url": engine.receiver.url, "events": ["contact.updated"]})
    steps = [
        {
            "type": "send_email",
            "config": {
                "to": ["{{ trigger.contact.email }}"],
                "subject": "Welcome, {{ trigger.contact.name }}",
                "text": "Hello {{ trigger.contact.name }}!",
            },
        },
        {
            "type": "update_contact",
            "config": {"contact_id": "{{ trigger.contact_id }}", "fields": {"tags": ["welcomed"], "stage": "new"}},
        },
        {"type": "notify", "config": {"title": "A lead", "body": "{{ trigger.contact.name }} was welcomed."}},
    ]
    made = {"name": "Welcome", "status": "active", "trigger": "contact_created", "steps": steps}
    automation = await client.post("/v1/automations", made)
    contact = await client.post("/v1/contacts", {"name": "Ann Lead", "email": "ann@acme.example"})

    (mail,) = await mails.wait(1)
    assert (mail.recipients, mail.message["Subject"]) == (["ann@acme.example"], "Welcome, Ann Lead")
    assert mail.message.get_content().strip() == "Hello Ann Lead!"

    async def told() -> list[dict[str, Any]]:
        notices = (await client.get("/v1/notifications"))["data"]
        return notices if len(notices) == 2 else []  # the total is counted after they are read: it may be ahead of them

    notices = {notice["type"]: notice for notice in await eventually(told)}
    assert set(notices) == {"automation", "automation_completed"}, notices
    assert notices["automation"]["body"] == "Ann Lead was welcomed."
    assert notices["automation_completed"]["metadata"] | {"run_id": ""} == {
        "automation_id": automation["id"],
        "contact_id": contact["id"],
        "run_id": "",
    }

    async def changed() -> bool:
        return (await client.get(f"/v1/contacts/{contact['id']}"))["tags"] == ["welcomed"]

    await eventually(changed)
    assert (await client.get(f"/v1/contacts/{contact['id']}"))["metadata"] == {"stage": "new"}

    async def delivered() -> bool:
        log = (await client.get(f"/v1/webhooks?action=deliveries&id={hook['id']}"))["data"]
        return [(each["event"], each["status"]) for each in log] == [("contact.updated", "delivered")]

    await eventually(delivered)
