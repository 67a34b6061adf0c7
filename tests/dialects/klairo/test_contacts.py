"""KlairoAI's contacts, over a real door: the gateway keeps them itself."""

from datetime import date, datetime
from typing import Any

import pytest
import pytest_asyncio
from msgspec import structs

from libs.contracts import contacts, errands, ids
from libs.contracts.errands import ContactUpdateAsked
from libs.contracts.faults import Code, Fault
from services.gateway.contacts import book, store
from services.gateway.contacts.book import CreateContact
from services.gateway.directory import clocks
from tests.services.gateway.peers import Door, new_key
from tests.support.calling import state
from tests.support.waiting import eventually

pytestmark = pytest.mark.asyncio

ROOTS = ["/api/contacts", "/v1/contacts", "/klairo/api/contacts", "/klairo/v1/contacts"]
AUTOMATION = ids.new()
ALEX = {
    "name": "Alex Johnson",
    "email": "alex@acmecorp.com",
    "company": "Acme Corp",
    "tags": ["prospect", "proposal-sent"],
    "metadata": {"deal_value": 12000, "source": "cold-email"},
}


class Workspace:
    """One of its own for each test."""

    def __init__(self, door: Door, key: str) -> None:
        self.door, self.key = door, key

    async def call(self, method: str, path: str, body: Any = None, **options: Any):
        return await self.door.call(method, path, body, key=self.key, **options)

    async def make(self, **fields: Any) -> dict[str, Any]:
        answer = await self.call("POST", "/api/contacts", fields)
        assert answer.status == 201, answer.text
        return answer.json

    async def names(self, query: str) -> list[str]:
        answer = await self.call("GET", f"/api/contacts?{query}")
        assert answer.status == 200, answer.text
        return [contact["name"] for contact in answer.json["data"]]

    async def stated(self) -> list[tuple[str, Any]]:
        """What was stated of its contacts, oldest first."""
        rows = await self.door.service.database.fetch(
            "SELECT subject, body FROM outbox WHERE subject LIKE 'event.gateway.contacts.%' ORDER BY n"
        )
        known = (contacts.CREATED, contacts.UPDATED, contacts.ERASED, contacts.UPDATE_REFUSED)
        events = {event.name: event for event in known}
        facts = [(row["subject"].rpartition(".")[2], events[row["subject"]].unpack(row["body"])) for row in rows]
        own = await self.id()
        return [(verb, fact) for verb, fact in facts if fact.workspace_id == own]

    async def id(self):
        caller = await self.door.service.database.fetchval(
            "SELECT workspace_id FROM api_keys WHERE hash = sha256($1::text::bytea)", self.key
        )
        assert caller is not None
        return caller


@pytest_asyncio.fixture(loop_scope="session")
async def workspace(door: Door) -> Workspace:
    return Workspace(door, (await new_key(door.service, f"Contacts {ids.new()}")).secret)


@pytest.mark.parametrize("root", ROOTS)
async def test_a_contact_is_made_and_found_under_every_root(workspace, root):
    made = await workspace.call("POST", root, ALEX)
    assert made.status == 201
    assert made.json["id"].startswith("cnt_")
    assert {name: made.json[name] for name in ALEX} == ALEX
    assert made.json["created_at"] == made.json["updated_at"]
    assert made.json["created_at"].endswith("Z")
    for spelled in (made.json["id"], str(ids.parse(made.json["id"]))):
        assert (await workspace.call("GET", f"{root}/{spelled}")).json == made.json
    listed = await workspace.call("GET", root)
    assert listed.json == {"data": [made.json], "total": 1, "limit": 20, "offset": 0}


async def test_contacts_are_listed_newest_first_and_in_pages(workspace):
    for number in range(3):
        await workspace.make(name=f"n{number}")
    page = await workspace.call("GET", "/v1/contacts?limit=2&offset=1")
    assert [contact["name"] for contact in page.json["data"]] == ["n1", "n0"]
    assert {name: page.json[name] for name in ("total", "limit", "offset")} == {"total": 3, "limit": 2, "offset": 1}
    beyond = await workspace.call("GET", "/v1/contacts?limit=500&offset=99")
    assert (beyond.json["data"], beyond.json["total"], beyond.json["limit"]) == ([], 3, 100)


@pytest.mark.parametrize(
    ("search", "found"),
    [
        ("alex", ["Alex Johnson"]),
        ("ALEX john", ["Alex Johnson"]),
        ("acmecorp", ["Alex Johnson"]),
        ("alex@acmecorp.com", ["Alex Johnson"]),
        ("Acme", ["Zoë Müller", "Alex Johnson"]),
        ("muller", ["Zoë Müller"]),
        ("ZOË", ["Zoë Müller"]),
        ("ohnson", []),
        ("alex müller", []),
        ("cold", []),
        ("prospect", []),
        ("' | ! & : * () \\", []),
        ("\N{ROCKET}", []),
        (" ", ["Nobody", "Zoë Müller", "Alex Johnson"]),
        ("", ["Nobody", "Zoë Müller", "Alex Johnson"]),
    ],
)
async def test_a_search_goes_over_name_email_and_company(workspace, search, found):
    await workspace.make(**ALEX)
    await workspace.make(name="Zoë Müller", company="Acme GmbH")
    await workspace.make(name="Nobody")
    answer = await workspace.call("GET", "/api/contacts", params={"search": search})
    assert answer.status == 200
    assert [contact["name"] for contact in answer.json["data"]] == found
    assert answer.json["total"] == len(found)


async def test_a_changed_contact_is_found_by_what_it_is_now(workspace):
    made = await workspace.make(name="Ada", tags=["client"])
    await workspace.call("PATCH", f"/api/contacts/{made['id']}", {"name": "Grace"})
    assert (await workspace.names("search=ada"), await workspace.names("search=grace")) == ([], ["Grace"])


async def test_a_tag_is_a_filter_and_narrows_a_search(workspace):
    await workspace.make(name="Ann One", tags=["client", "client", "vip"])
    await workspace.make(name="Ann Two", tags=["client"])
    assert await workspace.names("tag=vip") == ["Ann One"]
    assert await workspace.names("tag=client&search=ann&limit=1") == ["Ann Two"]
    assert await workspace.names("tag=Client") == []


async def test_what_is_no_field_of_a_contact_is_its_metadata(workspace):
    made = await workspace.make(name="Ann", phone="+49 30", metadata={"phone": "no", "lead": {"score": 7}})
    assert made["metadata"] == {"phone": "+49 30", "lead": {"score": 7}}
    path = f"/api/contacts/{made['id']}"
    changed = await workspace.call("PATCH", path, {"phone": None, "city": "Rome", "metadata": {"lead": 8}})
    assert changed.json["metadata"] == {"lead": 8, "city": "Rome"}
    emptied = await workspace.call("PATCH", path, {"metadata": None})
    assert emptied.json["metadata"] == {}


async def test_a_patch_leaves_what_it_does_not_name_and_takes_back_what_was_told(workspace):
    made = await workspace.make(**ALEX)
    path = f"/api/contacts/{made['id']}"
    assert (await workspace.call("PATCH", path, made)).json == made, "nothing was changed"
    changed = await workspace.call("PATCH", path, {"company": None, "tags": ["client"]})
    assert changed.json | {"updated_at": ""} == made | {"company": "", "tags": ["client"], "updated_at": ""}
    assert changed.json["updated_at"] > made["updated_at"]


async def test_an_email_belongs_to_one_contact_of_a_workspace(workspace, door):
    made = await workspace.make(name="Ann", email=" Ann@Example.com ")
    assert made["email"] == "Ann@Example.com"
    twice = await workspace.call("POST", "/api/contacts", {"name": "Other", "email": "ann@example.COM"})
    assert (twice.status, twice.json["error"]["code"]) == (409, "CONFLICT")
    other = await workspace.make(name="Other")
    moved = await workspace.call("PATCH", f"/api/contacts/{other['id']}", {"email": "ANN@example.com"})
    assert (moved.status, moved.json["error"]["code"]) == (409, "CONFLICT")
    elsewhere = Workspace(door, (await new_key(door.service, f"Contacts {ids.new()}")).secret)
    await elsewhere.make(name="Ann", email="ann@example.com")
    await workspace.make(name="Nameless")
    await workspace.make(name="Nameless")


async def test_a_deleted_contact_is_no_more(workspace):
    made = await workspace.make(**ALEX)
    path = f"/api/contacts/{made['id']}"
    gone = await workspace.call("DELETE", path)
    assert (gone.status, gone.text) == (204, "")
    for method, body in (("GET", None), ("PATCH", {"name": "x"}), ("DELETE", None)):
        answer = await workspace.call(method, path, body)
        assert (answer.status, answer.json["error"]["code"]) == (404, "NOT_FOUND")
    assert await workspace.names("") == []
    await workspace.make(**ALEX)


async def test_every_change_is_stated_once_and_what_changes_nothing_is_not(workspace):
    own, made = await workspace.id(), await workspace.make(**ALEX)
    path, id = f"/api/contacts/{made['id']}", ids.parse(made["id"])
    assert id is not None
    await workspace.call("POST", "/api/contacts", ALEX)
    await workspace.call("PATCH", path, {"name": ALEX["name"]})
    await workspace.call("PATCH", path, {"email": "nobody"})
    await workspace.call("PATCH", path, {"name": "Alexa", "city": "Rome"})
    await workspace.call("DELETE", path)
    assert await workspace.stated() == [
        ("created", contacts.ContactCreated(own, id)),
        ("updated", contacts.ContactUpdated(own, id, ["name", "metadata"])),
        ("erased", contacts.ContactsErased(own, [id])),
    ]


async def looked_up(workspace, **sought: Any) -> list[str]:
    """By the runner, for a model."""
    asked = contacts.SearchContacts(await workspace.id(), **sought)
    found = await workspace.door.peers.buses["runner"].call(contacts.SEARCH, asked)
    assert found.total == len(found.items)
    return [contact.name for contact in found.items]


async def test_contacts_of_a_day_are_those_of_the_workspaces_time_zone(workspace):
    made = {"Late": "2026-03-10T10:30Z", "Early": "2026-03-10T09:30Z", "Next": "2026-03-11T10:00Z"}
    for name, at in made.items():
        id = ids.parse((await workspace.make(name=name))["id"])
        await workspace.door.service.database.execute(
            "UPDATE contacts SET created_at = $2 WHERE id = $1", id, datetime.fromisoformat(at)
        )
    async with workspace.door.service.database.transaction() as connection:
        await clocks.set_timezone(connection, await workspace.id(), "Pacific/Kiritimati")
    assert await looked_up(workspace, until=date(2026, 3, 10)) == ["Early"]
    assert await looked_up(workspace, since=date(2026, 3, 11), until=date(2026, 3, 11)) == ["Late"]
    assert await looked_up(workspace, since=date(2026, 3, 12)) == ["Next"], "it is 14 hours ahead"
    assert await looked_up(workspace, since=date(2026, 3, 12), until=date(2026, 3, 11)) == []
    assert await looked_up(workspace, until=date.max) == ["Next", "Early", "Late"]


async def test_whom_a_text_mentions_is_found_by_a_whole_word_of_it(workspace):
    await workspace.make(name="Ann Smith", company="Acme")
    await workspace.make(name="Bob Smithers")
    await workspace.make(name="Al Of")
    assert await looked_up(workspace, text="Draft a mail of the SMITH proposal", mentioned=True) == ["Ann Smith"]
    assert await looked_up(workspace, text="What does acme, or bob, want?", mentioned=True) == [
        "Bob Smithers",
        "Ann Smith",
    ]
    assert await looked_up(workspace, text="Is it so?", mentioned=True) == []
    assert await looked_up(workspace, text="...", mentioned=True) == []
    assert await looked_up(workspace, text="smith", tag="none") == []


async def test_only_the_runner_asks_for_contacts_and_gets_those_of_the_workspace(workspace, door):
    made, own = await workspace.make(**ALEX), await workspace.id()
    bus, id = door.peers.buses["runner"], ids.parse(made["id"])
    for named in (contacts.GetContact(own, id), contacts.GetContact(own, email="ALEX@acmecorp.com")):
        assert (await bus.call(contacts.GET, named)).id == id
        with pytest.raises(Fault) as missing:
            await bus.call(contacts.GET, structs.replace(named, workspace_id=ids.new()))
        assert missing.value.code is Code.NOT_FOUND
    for other in ("feedback", "retrieval", "webhook_dispatcher"):
        with pytest.raises(ValueError, match="may not call"):
            await door.peers.buses[other].call(contacts.GET, contacts.GetContact(own, id))


async def asked(workspace, fields: dict[str, Any], *, times: int = 1, **named: Any) -> ContactUpdateAsked:
    """An automation asks for the change; returns once what it asked for has been seen to, or was nobody's."""
    fact = ContactUpdateAsked(await workspace.id(), ids.new(), ids.new(), fields, chain=[AUTOMATION], **named)
    event = ids.new()
    for _ in range(times):
        await state(workspace.door.peers.buses["runner"], errands.CONTACT_UPDATE_ASKED, fact, id=event)

    async def heard() -> bool:
        return await workspace.door.service.database.fetchval("SELECT count(*) FROM events_seen WHERE id = $1", event)

    await eventually(heard)
    return fact


@pytest.mark.parametrize("by", ["contact_id", "email"])
async def test_what_an_automation_asks_for_is_changed_once(workspace, by):
    made = await workspace.make(**ALEX)
    named: dict[str, Any] = {"contact_id": ids.parse(made["id"])}
    if by == "email":
        named = {"email": "ALEX@acmecorp.com"}
    fields = {"tags": ["client"], "stage": "won", "deal_value": 13_000, "metadata": {"source": None}}
    await asked(workspace, fields, times=2, **named)
    changed = (await workspace.call("GET", f"/api/contacts/{made['id']}")).json
    assert (changed["name"], changed["tags"]) == (made["name"], ["client"])
    assert changed["metadata"] == {"deal_value": 13_000, "stage": "won"}
    await asked(workspace, fields, **named)
    (_, created), (verb, updated) = await workspace.stated()
    assert (created.chain, verb) == ([], "updated")
    assert (updated.changed, updated.chain) == (["tags", "metadata"], [AUTOMATION])


async def test_what_can_not_be_changed_is_told_of_and_what_is_gone_is_not(workspace):
    made, other = await workspace.make(**ALEX), await workspace.make(name="Ann", email="ann@example.com")
    id = ids.parse(made["id"])
    refused = [
        await asked(workspace, fields, contact_id=id)
        for fields in ({"email": "ANN@example.com"}, {"email": "nobody"}, {"tags": "vip"}, {"name": "x" * 501})
    ]
    await asked(workspace, {"name": "Eve"}, contact_id=ids.new())
    await asked(workspace, {"name": "Eve"}, email="nobody@example.com")
    facts = [fact for verb, fact in await workspace.stated() if verb == "update_refused"]
    assert [(fact.run_id, fact.contact_id) for fact in facts] == [(fact.run_id, id) for fact in refused]
    assert "e-mail address" in facts[0].reason
    assert [fact.reason for fact in facts[2:]] == [
        "tags: Expected a list or null, got a text.",
        "name: Expected 500 characters at most.",
    ]
    for contact in (made, other):
        assert (await workspace.call("GET", f"/api/contacts/{contact['id']}")).json == contact


async def test_no_automation_changes_another_workspaces_contact(workspace, door):
    made = await workspace.make(**ALEX)
    elsewhere = Workspace(door, (await new_key(door.service, f"Contacts {ids.new()}")).secret)
    await asked(elsewhere, {"name": "Eve"}, contact_id=ids.parse(made["id"]))
    await asked(elsewhere, {"name": "Eve"}, email=ALEX["email"])
    assert (await workspace.call("GET", f"/api/contacts/{made['id']}")).json == made


async def test_an_idempotency_key_makes_one_contact_and_forgets_it_with_it(workspace):
    headers = {"Idempotency-Key": "one"}
    first, second = [await workspace.call("POST", "/api/contacts", ALEX, headers=headers) for _ in range(2)]
    assert (first.status, second.status) == (201, 201)
    assert first.json == second.json
    await workspace.call("DELETE", f"/api/contacts/{first.json['id']}")
    after = await workspace.call("POST", "/api/contacts", ALEX, headers=headers)
    assert after.status == 404
    assert "Alex" not in after.text


async def test_what_was_made_and_whose_answer_was_lost_is_found_again(workspace, door):
    id, own, details = ids.new(), await workspace.id(), store.Details("Ann", "ann@example.com")
    asked = CreateContact(own, details, id)
    first = await book.create(door.service.database, asked)
    assert await book.create(door.service.database, asked) == first


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "said"),
    [
        ("POST", "", {}, 400, "name"),
        ("POST", "", {"name": " "}, 400, "name"),
        ("POST", "", {"name": 7}, 400, "name"),
        ("POST", "", {"name": "x" * 501}, 400, "name"),
        ("POST", "", {"name": "x", "company": "x" * 501}, 400, "company"),
        ("POST", "", {"email": "nobody"}, 400, "email"),
        ("POST", "", {"email": "a@b c"}, 400, "email"),
        ("POST", "", {"email": "a\u0007@b.c"}, 400, "email"),
        ("POST", "", {"email": "a" * 250 + "@b.de"}, 400, "email"),
        ("POST", "", {"name": "x", "tags": "client"}, 400, "tags"),
        ("POST", "", {"name": "x", "tags": [""]}, 400, "tags"),
        ("POST", "", {"name": "x", "tags": ["x" * 101]}, 400, "tags"),
        ("POST", "", {"name": "x", "tags": [str(n) for n in range(101)]}, 400, "tags"),
        ("POST", "", {"name": "x", "metadata": []}, 400, "metadata"),
        ("POST", "", {"name": "x", "note": "x" * (64 << 10)}, 413, "64 KiB"),
        ("POST", "", {"name": "x", "note": "a\0b"}, 400, "note"),
        ("POST", "", {"name": "a\0b"}, 400, "name"),
        ("POST", "", b'{"name": "\\ud800"}', 400, ""),
        ("POST", "", b'{"name": "x", "n": NaN}', 400, "JSON"),
        ("POST", "", b'{"name": "x", "n": 1e999}', 400, ""),
        ("POST", "", b'{"name": "x", "n": 123456789012345678901234567890}', 400, "n"),
        ("POST", "", b'{"n": ' + b"[" * 5000 + b"]" * 5000 + b"}", 400, "deep"),
        ("POST", "", b"[]", 400, "object"),
        ("POST", "", b"", 400, "empty"),
        ("PATCH", "/cnt_nothing", {}, 404, "cnt_nothing"),
        ("GET", "/cnt_01JNABC1230000000000000000", None, 404, "cnt_01JNABC1230000000000000000"),
        ("GET", "?limit=many", None, 400, "limit"),
        ("GET", "?offset=-1", None, 400, "offset"),
        ("GET", "?search=%00", None, 400, "search"),
        ("GET", "?tag=%ff%00", None, 400, "tag"),
        ("PUT", "", {}, 405, "method"),
    ],
)
async def test_what_does_not_fit_is_refused_in_the_envelope(workspace, method, path, body, status, said):
    answer = await workspace.call(method, f"/api/contacts{path}", body)
    assert answer.status == status, answer.text
    assert answer.json["error"]["status"] == status
    assert said in answer.json["error"]["message"]


async def test_it_needs_a_key(door):
    answer = await door.call("GET", "/api/contacts", key=None)
    assert (answer.status, answer.json["error"]["code"]) == (401, "UNAUTHORIZED")
