"""What a workspace deletes is gone: a word is put into every place, and afterwards looked for in all that is stored."""

from collections.abc import AsyncGenerator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import aiohttp
import asyncpg
import pytest
import pytest_asyncio

from libs.contracts import workspaces
from libs.postgres import outbox
from tests.journeys.test_the_main_job import action
from tests.support.engine import Client, Engine
from tests.support.services import blobs_folder
from tests.support.waiting import eventually

pytestmark = pytest.mark.asyncio(loop_scope="session")


class Stores:
    """Everything that is stored, read past the services."""

    def __init__(self, connection: "asyncpg.Connection[Any]", folders: list[Path]) -> None:
        self._connection, self._folders = connection, folders

    async def holding(self, word: str) -> set[str]:
        """The tables and files that hold the word, in any column and as any bytes."""
        like = [f"%{word}%", f"%{word.encode().hex()}%"]
        found = {
            name
            for name in await self._tables()
            if await self._connection.fetchval(
                f"SELECT EXISTS (SELECT FROM {name} AS row WHERE row::text LIKE ANY($1))", like
            )
        }
        for folder in self._folders:
            for file in folder.rglob("*"):
                if file.is_file() and word.encode() in file.read_bytes():
                    found.add(file.relative_to(folder.parent).as_posix())
        return found

    async def of_workspace(self, id: UUID) -> set[str]:
        """The tables with rows of the workspace, but for what says that it is to be erased."""
        found: set[str] = set()
        for name in await self._tables(having="workspace_id"):
            if await self._connection.fetchval(
                f"SELECT EXISTS (SELECT FROM {name} WHERE workspace_id = $1)", id
            ) and not name.endswith((".erasures", ".removals")):
                found.add(name)
        return found

    async def _tables(self, *, having: str | None = None) -> list[str]:
        rows = await self._connection.fetch(
            """SELECT quote_ident(nspname) || '.' || quote_ident(relname) AS name
            FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
            WHERE relkind = 'r' AND nspname IN ('gateway', 'runner', 'retrieval', 'feedback', 'webhook_dispatcher')
            AND ($1::text IS NULL OR EXISTS (SELECT FROM pg_attribute WHERE attrelid = pg_class.oid AND attname = $1))
            """,
            having,
        )
        return [row["name"] for row in rows]


@pytest_asyncio.fixture(loop_scope="session")
async def stores(engine: Engine, databases) -> AsyncGenerator[Stores]:
    connection = await asyncpg.connect(databases.url)
    yield Stores(connection, [Path(blobs_folder(databases.url)), engine.vectors])
    await connection.close()


async def upload(client: Client, context: str, content: bytes) -> None:
    given = await client.post("/v1/context/presign", {"file_name": "notes.txt"})
    form = aiohttp.FormData(given["fields"])
    form.add_field("file", content, filename="notes.txt")
    async with client.session.post(given["url"], data=form) as sent:
        assert sent.status < 300
    await client.post(f"/v1/context/{context}/add_files", {"files": [given["object_url"]]})


class Story:
    """A workspace in which the word was said wherever something can be said."""

    def __init__(self, client: Client, word: str) -> None:
        self.client, self.word = client, word
        self.context = self.session = self.action = ""
        self.points: list[str] = []

    @classmethod
    async def told(cls, engine: Engine, word: str) -> "Story":
        client = await engine.workspace(f"erasing-{word[:5]}")
        story = cls(client, word)
        engine.receiver.answer(body=f"You said {word}".encode())
        hook = await client.post("/api/webhooks", {"url": engine.receiver.url, "events": ["*"]})
        await story._documents()
        story.action = await action(client, "Say of {{topic}}: {{question}}", context=story.context)
        story.session = (await client.post("/v1/sessions", {"action": story.action}))["guid"]
        for number, answer in enumerate((f"It was {word}.", "Something else.")):
            engine.says(answer)
            story.points.append(await story._ask(f"{word} {number}" if not number else "And then?", cache=True))
        said = {"data_guid": story.points[0], "type": "correction", "value": f"No: {word}!"}
        await client.post("/v1/feedback", said)
        await story._delivered(hook["id"])
        return story

    async def _documents(self) -> None:
        made = await self.client.post("/v1/context", {"name": "Notes", "description": "", "type": "Custom"})
        self.context = made["guid"]
        path = f"/v1/context/{self.context}"
        text = {"text": f"{self.word} is what is known.", "meta_data": {"note": self.word}}
        await self.client.post(f"{path}/documents", text)
        await upload(self.client, self.context, f"In the file it is {self.word}.".encode())

        async def indexed() -> bool:
            return (await self.client.post(f"{path}/status"))["status"] == "SUCCESS"

        await eventually(indexed)

    async def _ask(self, question: str, **more: Any) -> str:
        body = {"action": self.action, "input": {"topic": self.word, "question": question}, "session": self.session}
        headers = {"Authorization": f"Bearer {self.client.key}", "Idempotency-Key": f"erasing-{len(self.points)}"}
        url = f"{self.client.url}/v1/actions"
        async with self.client.session.post(url, json=body | more, headers=headers) as answer:
            return (await answer.json())["data_guid"]

    async def _delivered(self, hook: str) -> None:
        async def all_of_them() -> bool:
            deliveries = (await self.client.get(f"/api/webhooks?action=deliveries&id={hook}"))["data"]
            return sum(delivery["status"] == "delivered" for delivery in deliveries) >= 5

        await eventually(all_of_them)


async def nothing_left(stores: Stores, word: str) -> None:
    """Eventually: what is not seen any more is erased everywhere soon after."""

    async def gone() -> bool:
        return not await stores.holding(word)

    try:
        await eventually(gone)
    except TimeoutError:
        pytest.fail(f"{word} is still in {await stores.holding(word)}")


async def test_data_points_and_documents_that_are_deleted_are_in_no_table_and_no_file(engine: Engine, stores: Stores):
    story = await Story.told(engine, "quetzalcoatlus")
    held = await stores.holding(story.word)
    assert {name.partition("_20")[0] for name in held} >= {
        "runner.runs", "retrieval.documents", "retrieval.chunks", "feedback.feedback", "webhook_dispatcher.attempts",
    }, held  # fmt: skip
    assert any("uploads/" in name for name in held)
    client = story.client

    first = await client.ok("DELETE", f"/v1/data/{story.points[0]}")
    assert (first["guid"], first["feedback"][0]["value"]) == (story.points[0], f"No: {story.word}!")
    assert (await client.call("GET", f"/v1/data/{story.points[0]}"))[0] == 404
    later = await client.get(f"/v1/data/{story.points[1]}")
    assert "It was" not in str(later["full_prompt_sent"]), "a later turn repeats what was erased"
    await client.ok("DELETE", f"/v1/context/{story.context}")

    async def ungrounded() -> bool:
        point = await client.get(f"/v1/data/{story.points[1]}")
        return "is what is known" not in str(point) and "in the file" not in str(point).lower()

    await eventually(ungrounded)
    assert (await client.get(f"/v1/data/{story.points[1]}"))["completion"] == "Something else."
    await client.ok("DELETE", f"/v1/sessions/{story.session}")
    assert (await client.call("GET", f"/v1/data/{story.points[1]}"))[0] == 404
    await nothing_left(stores, story.word)


async def test_requests_about_a_data_point_that_was_deleted_are_not_answered_from_memory(engine: Engine):
    client = await engine.workspace("of-memory")
    asked = {"action": await action(client, "Question: {{question}}"), "input": {"question": "Which?"}}
    engine.says("This one.")
    _, run = await client.call("POST", "/v1/actions", asked, headers={"Idempotency-Key": "asked-once"})
    said = {"type": "correction", "value": "That one.", "data_guid": run["data_guid"]}
    status, _ = await client.call("POST", "/v1/feedback", said, headers={"Idempotency-Key": "said-once"})
    assert status == 200
    await client.ok("DELETE", f"/v1/data/{run['data_guid']}")

    async def refused() -> bool:
        again = await client.call("POST", "/v1/actions", asked, headers={"Idempotency-Key": "asked-once"})
        said_again = await client.call("POST", "/v1/feedback", said, headers={"Idempotency-Key": "said-once"})
        return again[0] == said_again[0] == 404 and "deleted since" in said_again[1]["message"]

    await eventually(refused)


async def test_a_contact_that_is_deleted_is_in_no_table(engine: Engine, stores: Stores):
    client, word = await engine.workspace("of-contacts"), "pteranodon"
    engine.receiver.answer(body=f"You said {word}".encode())
    hook = await client.post("/api/webhooks", {"url": engine.receiver.url, "events": ["contact.*"]})
    body = {"name": word, "email": f"{word}@example.com", "tags": [word], "likes": word}
    made = (await client.call("POST", "/api/contacts", body, headers={"Idempotency-Key": "once"}))[1]
    await client.ok("PATCH", f"/api/contacts/{made['id']}", {"company": word})

    async def told() -> list[str]:
        deliveries = (await client.get(f"/api/webhooks?action=deliveries&id={hook['id']}"))["data"]
        return [delivery["event"] for delivery in deliveries if delivery["status"] == "delivered"]

    async def both() -> bool:
        return sorted(await told()) == ["contact.created", "contact.updated"]

    await eventually(both)

    async def settled() -> bool:
        held = {name.partition("_20")[0] for name in await stores.holding(word)}
        return held == {"gateway.contacts", "webhook_dispatcher.attempts"}

    await eventually(settled)

    await client.ok("DELETE", f"/api/contacts/{made['id']}")
    await nothing_left(stores, word)
    assert await told() == []


async def test_a_workspace_that_is_deleted_leaves_nothing_anywhere(engine: Engine, stores: Stores):
    story = await Story.told(engine, "archaeopteryx")
    own = await story.client.get("/v1/workspace/current")
    await story.client.post("/api/contacts", {"name": story.word, "likes": story.word})
    other = await engine.workspace("beside")
    assert (await other.call("DELETE", f"/v1/workspace/{own['guid']}"))[0] == 404
    assert len(await stores.of_workspace(UUID(own["guid"]))) > 8

    assert (await story.client.ok("DELETE", f"/v1/workspace/{own['guid']}"))["guid"] == own["guid"]

    async def locked_out() -> bool:
        return (await story.client.call("GET", "/v1/workspace/current"))[0] == 401

    async def left() -> bool:
        return not await stores.of_workspace(UUID(own["guid"]))

    await eventually(locked_out, seconds=10)
    # What comes late, such as counts of the last calls, goes a minute later.
    await eventually(left, seconds=90)
    await nothing_left(stores, story.word)
    assert (await other.get("/v1/workspace/current"))["name"] == "beside"


async def test_what_has_expired_goes_with_all_that_was_said_and_told_of_it(engine: Engine, stores: Stores):
    story = await Story.told(engine, "dimetrodon")
    own = UUID((await story.client.get("/v1/workspace/current"))["guid"])
    until_now = workspaces.WorkspaceExpired(own, datetime.now(UTC))
    async with engine.database.transaction() as connection:
        await outbox.state(connection, workspaces.EXPIRED, [until_now])

    async def gone() -> bool:
        held = {name.partition("_20")[0] for name in await stores.holding(story.word)}
        return not held & {"runner.runs", "feedback.feedback", "webhook_dispatcher.attempts"}

    await eventually(gone)
    assert (await story.client.call("GET", f"/v1/data/{story.points[0]}"))[0] == 404
    assert (await story.client.get(f"/v1/context/{story.context}/documents"))["data"], "documents do not expire"
