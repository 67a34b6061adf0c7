"""The whole engine in the tests' process: five real services and servers, a foreign model and webhook receiver."""

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from libs.postgres.database import Database
from services.gateway.directory.bootstrap import Wanted, bootstrap
from tests.support.provider import Answer, Provider, provider
from tests.support.receiver import Receiver, receiver
from tests.support.servers import Databases, free_port
from tests.support.services import running

SERVICES = ("retrieval", "runner", "feedback", "webhook_dispatcher")


@dataclass
class Client:
    """A workspace's API key at the gateway; every call answers its status and decoded body."""

    session: aiohttp.ClientSession
    url: str
    key: str

    async def call(self, method: str, path: str, body: Any = None, **options: Any) -> tuple[int, Any]:
        headers = ({"Authorization": f"Bearer {self.key}"} if self.key else {}) | options.pop("headers", {})
        async with self.session.request(method, self.url + path, json=body, headers=headers, **options) as answer:
            text = await answer.text()
            return answer.status, await answer.json() if "json" in answer.content_type else text

    async def ok(self, method: str, path: str, body: Any = None) -> Any:
        status, answer = await self.call(method, path, body)
        assert status in (200, 201, 202, 204), (method, path, status, answer)
        return answer

    async def get(self, path: str) -> Any:
        return await self.ok("GET", path)

    async def post(self, path: str, body: Any = None) -> Any:
        return await self.ok("POST", path, body)


@dataclass
class Engine:
    url: str
    upstream: Provider
    receiver: Receiver
    session: aiohttp.ClientSession
    database: Database
    vectors: Path

    async def workspace(self, name: str) -> Client:
        """A new workspace with an owner and a key of its own."""
        made = await bootstrap(self.database, Wanted(email=f"{name}@example.com", workspace=name, mint=True))
        assert made.secret
        return Client(self.session, self.url, made.secret)

    def says(self, *pieces: str) -> None:
        """What the model answers next."""
        self.upstream.plays(Answer(pieces=pieces))

    def anonymous(self) -> Client:
        return Client(self.session, self.url, "")


@asynccontextmanager
async def engine(nats_url: str, databases: Databases, folder: Path, **more: dict[str, Any]) -> AsyncGenerator[Engine]:
    """`more`: settings of services by their names."""
    async with AsyncExitStack() as stack:
        upstream = await stack.enter_async_context(provider())
        hooks = await stack.enter_async_context(receiver())
        settings = {
            "runner": {"default_model_url": upstream.openai_url, "default_model_name": "test-model"},
            "retrieval": {"vectors_url": f"embedded://{folder}/vectors"},
        }
        for name in SERVICES:
            await stack.enter_async_context(
                running(name, nats_url, databases, **(settings.get(name, {}) | more.get(name, {})))
            )
        # Found at the last moment: every connection that the others open takes a port.
        port = free_port()
        await stack.enter_async_context(
            running("gateway", nats_url, databases, listen=f"127.0.0.1:{port}", **more.get("gateway", {}))
        )
        session = await stack.enter_async_context(aiohttp.ClientSession())
        database = await Database.connect(databases.dsn("gateway"), schema="gateway", pool_size=2)
        stack.push_async_callback(database.close)
        yield Engine(f"http://127.0.0.1:{port}", upstream, hooks, session, database, folder / "vectors")
