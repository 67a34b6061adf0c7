"""Gateways that hang or are killed under load let in no more than a limit allows, meanwhile and when they wake."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field

import aiohttp
import pytest
import pytest_asyncio

from libs.postgres.database import Database
from services.gateway.directory import keys
from tests.services.gateway.counting import workspace
from tests.support.processes import Running, process
from tests.support.servers import free_port

pytestmark = pytest.mark.asyncio

_LIMIT = 1200
_CLIENTS = 4
_HANGS_SECONDS = 3.2


@dataclass
class Gateway:
    """`let_in` counts what its clients were, by their key and when the minute ends."""

    url: str
    process: Running
    session: aiohttp.ClientSession
    let_in: Counter[tuple[str, str]] = field(default_factory=Counter[tuple[str, str]])

    async def ask(self, key: str) -> int:
        async with self.session.get(self.url, headers={"Authorization": f"Bearer {key}"}) as answer:
            if answer.status == 200:
                self.let_in[key, answer.headers["X-RateLimit-Reset"]] += 1
            return answer.status

    async def spend(self, key: str, *, most: int = _LIMIT) -> None:
        """Until each client was refused, was let in so often, or finds nobody there."""

        async def client() -> None:
            let_in = 0
            while let_in < most // _CLIENTS and (status := await self.ask(key)) != 429:
                assert status in (200, 503)
                let_in += status == 200
                await asyncio.sleep(0 if status == 200 else 0.05)

        with suppress(aiohttp.ClientConnectionError):
            await asyncio.gather(*(client() for _ in range(_CLIENTS)))


@pytest_asyncio.fixture(loop_scope="session")
async def three(nats_url, databases) -> AsyncIterator[list[Gateway]]:
    async with AsyncExitStack() as stack:
        session = await stack.enter_async_context(aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(60)))

        async def started() -> Gateway:
            listen = f"127.0.0.1:{free_port()}"
            running = await stack.enter_async_context(process("gateway", nats_url, databases, listen=listen))
            return Gateway(f"http://{listen}/v1/workspaces", running, session)

        yield [await started() for _ in range(3)]


@pytest.mark.slow
async def test_one_hangs_and_one_is_killed_under_load(three, database):
    hanging, killed, steady = three
    by_the_minute = await key_of(database, "By the minute", requests_per_minute=_LIMIT, api_calls_per_month=None)
    by_the_month = await key_of(database, "By the month", requests_per_minute=600_000, api_calls_per_month=_LIMIT)
    both = (by_the_minute, by_the_month)
    load = [asyncio.create_task(each.spend(key, most=300)) for each in three for key in both]
    await asyncio.sleep(0.2)
    hanging.process.pause()
    await killed.process.kill()
    load += [asyncio.create_task(steady.spend(key)) for key in both]
    await asyncio.sleep(_HANGS_SECONDS)
    hanging.process.wake()
    await asyncio.gather(*load)
    await asyncio.sleep(1.1)  # what it held is given back, or used
    await asyncio.gather(*(each.spend(key) for each in (hanging, steady) for key in both))
    let_in = sum((each.let_in for each in three), Counter[tuple[str, str]]())
    assert max(count for (key, _), count in let_in.items() if key == by_the_minute) <= _LIMIT
    assert sum(count for (key, _), count in let_in.items() if key == by_the_month) <= _LIMIT
    for each in both:
        assert sum(count for (key, _), count in let_in.items() if key == each) >= 0.9 * _LIMIT


async def key_of(database: Database, name: str, **figures: int | None) -> str:
    spending = await workspace(database, name, **figures)
    async with database.transaction() as connection:
        return (await keys.create(connection, spending, name="test")).secret
