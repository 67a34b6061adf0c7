"""The gateway in this process with its public door open, and the other services as a test wants them.

For what only the gateway does: how bodies are read, errors are told, streams are written. Whole stories are told in
tests/journeys, with the real services.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import aiohttp

from libs.blobs import Blobs
from libs.bus.bus import Bus
from libs.contracts import ids
from libs.contracts.subjects import SERVICES, Rpc
from libs.runtime.service import Service
from services.gateway.directory import keys, people
from tests.support.servers import Databases, free_port
from tests.support.services import blobs_folder, running

Answer = Callable[[Any], Any]


class Peers:
    """Each subject is answered as told last; what was asked is kept in `asked`, oldest first. `moved` tells of more."""

    def __init__(self, buses: dict[str, Bus]) -> None:
        self.buses = buses
        self.asked: list[Any] = []
        self.moved = asyncio.Condition()
        self._answers: dict[str, Answer] = {}

    async def answer(self, rpc: Rpc[Any, Any], answer: Any) -> None:
        """With a value, with what a function makes of the question, or by raising an exception."""
        known = rpc.name in self._answers
        self._answers[rpc.name] = answer if callable(answer) else lambda _: answer
        if not known:
            await self.buses[rpc.owner].serve(rpc, self._answering(rpc))

    def _answering(self, rpc: Rpc[Any, Any]) -> Callable[[Any], Awaitable[Any]]:
        async def answering(question: Any) -> Any:
            self.asked.append(question)
            async with self.moved:
                self.moved.notify_all()
            answer = self._answers[rpc.name](question)
            if isinstance(answer, Exception):
                raise answer
            return await answer if isinstance(answer, Awaitable) else answer

        return answering


@dataclass
class Reply:
    status: int
    headers: Any
    text: str
    json: Any


@dataclass
class Door:
    """The gateway at `url`, with the key of one workspace."""

    url: str
    session: aiohttp.ClientSession
    service: Service
    peers: Peers
    workspace_id: UUID
    key: str
    key_id: UUID
    headers: dict[str, str] = field(default_factory=dict)

    async def call(self, method: str, path: str, body: Any = None, **options: Any) -> Reply:
        """`body` as JSON, or as it is where it is bytes. `key=None` leaves the key out."""
        key = options.pop("key", self.key)
        headers = ({"Authorization": f"Bearer {key}"} if key else {}) | options.pop("headers", {})
        given = {"data": body} if isinstance(body, bytes | aiohttp.FormData) else {"json": body}
        async with self.session.request(method, self.url + path, headers=headers, **given, **options) as answer:
            text = await answer.text()
            json = await answer.json() if answer.content_type == "application/json" else None
            return Reply(answer.status, answer.headers, text, json)


@asynccontextmanager
async def opened(nats_url: str, databases: Databases, **settings: Any) -> AsyncIterator[Door]:
    port = free_port()
    async with AsyncExitStack() as stack:
        session = await stack.enter_async_context(aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(60)))
        peers = await stack.enter_async_context(_peers(nats_url, blobs_folder(databases.url)))
        service = await stack.enter_async_context(
            running("gateway", nats_url, databases, listen=f"127.0.0.1:{port}", **settings)
        )
        made = await new_key(service)
        yield Door(f"http://127.0.0.1:{port}", session, service, peers, made.key.workspace_id, made.secret, made.key.id)


async def new_key(service: Service, workspace: str = "Test") -> keys.NewKey:
    async with service.database.transaction() as connection:
        found = await people.make_workspace(connection, workspace)
        return await keys.create(connection, found.id, name="test")


@asynccontextmanager
async def _peers(nats_url: str, folder: str) -> AsyncIterator[Peers]:
    blobs = Blobs.open(f"file://{folder}")
    others = sorted(SERVICES - {"gateway"})
    buses = {
        name: await Bus.connect(nats_url, owner=name, instance=f"{name}-{ids.new()}", blobs=blobs) for name in others
    }
    try:
        yield Peers(buses)
    finally:
        for bus in buses.values():
            await bus.close()
