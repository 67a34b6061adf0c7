"""Retrieval as in production, over the embedded engine, and its caller."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio
from msgspec import Struct

from libs.blobs import Blobs
from libs.bus.bus import Bus
from libs.contracts import contexts, documents, files, ids, search
from libs.contracts.documents import Document, Status
from libs.postgres.database import Connection, Database
from libs.postgres.migrate import migrate
from libs.runtime.service import Service
from tests.support import calling
from tests.support.services import blobs_folder, running


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("vectors")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def retrieval(nats_url: str, databases: Any, folder: Path) -> AsyncGenerator[Service]:
    async with running("retrieval", nats_url, databases, vectors_url=f"embedded://{folder}") as service:
        yield service


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def bus(nats_url: str, databases: Any) -> AsyncGenerator[Bus]:
    async with calling.gateway(nats_url, databases) as bus:
        yield bus


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def rows(databases: Any) -> AsyncGenerator[Database]:
    """Retrieval's own tables, for what no question answers."""
    database = await Database.connect(databases.dsn("retrieval"), schema="retrieval", pool_size=2)
    await migrate(database, "services.retrieval")
    yield database
    await database.close()


@pytest.fixture(scope="module")
def blobs(databases: Any) -> Blobs:
    return Blobs.open(f"file://{blobs_folder(databases.url)}")


class Library(Struct, frozen=True):
    """A context and what a person does with it."""

    bus: Bus
    blobs: Blobs
    context: contexts.Context

    @property
    def place(self) -> tuple[UUID, UUID]:
        return self.context.workspace_id, self.context.id

    async def look(self) -> contexts.Context:
        return await self.bus.call(contexts.GET, contexts.GetContext(*self.place))

    async def add(self, text: str, name: str = "", **metadata: Any) -> Document:
        return await self.bus.call(documents.ADD_TEXT, documents.AddText(*self.place, text, name, metadata))

    async def upload(self, name: str, content: bytes) -> str:
        """As the gateway does: the `blob:` URL to add."""
        upload = await self.bus.call(files.BEGIN, files.BeginUpload(self.context.workspace_id, name))
        await self.blobs.put(upload.blob, content)
        finished = files.FinishUpload(self.context.workspace_id, upload.id, len(content))
        await self.bus.call(files.FINISH, finished)
        return f"blob:{upload.id}"

    async def add_urls(self, *urls: str, **metadata: Any) -> list[Document]:
        return await self.bus.call(documents.ADD_FILES, documents.AddFiles(*self.place, list(urls), metadata))

    async def add_file(self, name: str, content: bytes, **metadata: Any) -> Document:
        [document] = await self.add_urls(await self.upload(name, content), **metadata)
        return document

    async def get(self, document: Document) -> Document:
        return await self.bus.call(documents.GET, documents.GetDocument(*self.place, document.id))

    async def delete(self, document: Document) -> Document:
        return await self.bus.call(documents.DELETE, documents.GetDocument(*self.place, document.id))

    async def settled(self, document: Document, *, seconds: float = 90) -> Document:
        """Once it is indexed or failed."""
        settled = (Status.INDEXED, Status.FAILED)
        return await until(lambda: self.get(document), lambda found: found.status in settled, seconds=seconds)

    async def indexed(self, document: Document) -> Document:
        found = await self.settled(document)
        assert found.status is Status.INDEXED, found.error
        return found

    async def failed(self, document: Document) -> str:
        found = await self.settled(document)
        assert found.status is Status.FAILED
        assert found.error
        return found.error

    async def search(self, text: str, *, limit: int = 5, min_score: float = 0.0, **filter: Any) -> list[search.Passage]:
        conditions = search.conditions(filter)
        query = search.Query(self.context.workspace_id, [self.context.id], text, limit, conditions, min_score)
        return await self.bus.call(search.QUERY, query)


@pytest_asyncio.fixture(loop_scope="session")
async def make(retrieval: Service, bus: Bus, blobs: Blobs) -> Callable[..., Awaitable[Library]]:
    async def make(workspace_id: UUID | None = None, name: str = "Library") -> Library:
        request = contexts.CreateContext(workspace_id or ids.new(), name)
        return Library(bus, blobs, await bus.call(contexts.CREATE, request))

    return make


@pytest_asyncio.fixture(loop_scope="session")
async def library(make: Callable[..., Awaitable[Library]]) -> Library:
    return await make()


async def until(look: Callable[[], Awaitable[Any]], wanted: Callable[[Any], object], *, seconds: float = 60) -> Any:
    """What `look` found, once it is as wanted."""
    async with asyncio.timeout(seconds):
        while not wanted(found := await look()):  # noqa: ASYNC110 — there is nothing to be told by
            await asyncio.sleep(0.01)
        return found


@asynccontextmanager
async def deleting(rows: Database, document: Document) -> AsyncIterator[Connection]:
    """A transaction that is about to delete a document: all who want to write it wait."""
    async with rows.transaction() as connection:
        await connection.execute("SELECT FROM documents WHERE id = $1 FOR UPDATE", document.id)
        yield connection
