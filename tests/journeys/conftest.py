"""The whole engine for a journey."""

from collections.abc import AsyncGenerator
from typing import Any

import pytest_asyncio

from tests.support.engine import Engine
from tests.support.engine import engine as started
from tests.support.servers import Databases


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def engine(nats_url: str, databases: Databases, tmp_path_factory: Any) -> AsyncGenerator[Engine]:
    async with started(nats_url, databases, tmp_path_factory.mktemp("engine")) as engine:
        yield engine
