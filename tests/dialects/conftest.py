"""A gateway for a dialect's tests: a module's own, with its door open."""

from collections.abc import AsyncIterator

import pytest_asyncio

from tests.services.gateway.peers import Door, opened
from tests.support.servers import Databases


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def door(nats_url: str, databases: Databases) -> AsyncIterator[Door]:
    async with opened(nats_url, databases) as door:
        yield door
