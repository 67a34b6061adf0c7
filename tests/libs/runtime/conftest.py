"""A service of the tests' own making, under the name of one that exists: its schema, its subjects."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager

import aiohttp
import pytest
import pytest_asyncio

from libs.blobs import Blobs
from libs.bus.bus import Bus
from libs.runtime.service import Service, started
from libs.runtime.settings import Common
from tests.support.servers import Databases, free_port

Build = Callable[[Service, Common], Awaitable[None]]
Start = Callable[..., AbstractAsyncContextManager[Service | None]]


async def nothing(service: Service, settings: Common) -> None:
    """Builds a service that does nothing."""


@pytest.fixture
def settings(nats_url: str, databases: Databases) -> Common:
    folder = tempfile.mkdtemp(prefix="polyvox-blobs-")
    dsn = databases.dsn("feedback")
    return Common(nats_url=nats_url, postgres_dsn=dsn, blobs_url=f"file://{folder}", private_port=free_port())


def life(
    settings: Common, build: Build = nothing, stopping: asyncio.Event | None = None
) -> AbstractAsyncContextManager[Service | None]:
    return started("feedback", settings, build, stopping=stopping or asyncio.Event())


@pytest_asyncio.fixture(loop_scope="session")
async def caller(settings: Common) -> AsyncIterator[Bus]:
    """The gateway's place on the bus."""
    blobs = Blobs.open(settings.blobs_url)
    bus = await Bus.connect(settings.nats_url, owner="gateway", instance="gateway-test", blobs=blobs)
    yield bus
    await bus.close()


async def readiness(settings: Common) -> tuple[int, list[str]]:
    """The status of /readyz, and the names of what is missing."""
    async with aiohttp.ClientSession(f"http://127.0.0.1:{settings.private_port}") as session:
        response = await session.get("/readyz")
        return response.status, sorted((await response.json())["missing"])


async def until_ready(settings: Common, *, missing: list[str]) -> None:
    """Returns once /readyz names exactly this."""
    async with asyncio.timeout(60):
        while True:
            try:
                if (await readiness(settings))[1] == missing:
                    return
            except aiohttp.ClientConnectionError:
                pass
            await asyncio.sleep(0.02)
