"""Two services on one NATS: a runner that serves and a gateway that asks."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from libs.blobs import Blobs
from libs.bus.bus import Bus
from tests.libs.bus.wire import Restartable


@pytest.fixture(scope="module")
def blobs_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("blobs")


@pytest.fixture(scope="module")
def blobs(blobs_folder: Path) -> Blobs:
    return Blobs.open(blobs_folder.as_uri())


@pytest_asyncio.fixture
async def runner(nats_url: str, blobs: Blobs) -> AsyncIterator[Bus]:
    bus = await Bus.connect(nats_url, owner="runner", instance="runner-1", blobs=blobs)
    yield bus
    await bus.close()


@pytest_asyncio.fixture
async def gateway(nats_url: str, blobs: Blobs) -> AsyncIterator[Bus]:
    bus = await Bus.connect(nats_url, owner="gateway", instance="gateway-1", blobs=blobs)
    yield bus
    await bus.close()


@pytest.fixture
def server(tmp_path: Path):
    """A NATS server of this test's own, that it may stop and start."""
    server = Restartable(tmp_path)
    yield server
    server.stop()
