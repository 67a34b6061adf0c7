"""Services on one NATS: a runner that serves and states, a gateway that asks, feedback that hears."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from libs.blobs import Blobs
from libs.bus.bus import Bus
from libs.bus.follow import Follower
from libs.bus.stream import EVENTS
from libs.postgres.database import Database
from libs.postgres.migrate import migrate
from tests.libs.bus.holder import Holder
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


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def migrated(databases):
    database = await Database.connect(databases.dsn("feedback"), schema="feedback", pool_size=4)
    await migrate(database)
    await database.execute("CREATE TABLE sums (kind text PRIMARY KEY, total bigint NOT NULL)")
    yield database
    await database.close()


@pytest_asyncio.fixture
async def database(migrated: Database):
    await migrated.execute("TRUNCATE sums, events_seen, event_retries, dead_letters")
    return migrated


@pytest_asyncio.fixture
async def feedback(nats_url, blobs):
    bus = await Bus.connect(nats_url, owner="feedback", instance="feedback-1", blobs=blobs)
    await bus.ensure_stream()
    await bus.connection.jetstream().purge_stream(EVENTS)
    yield bus
    await bus.close()


@pytest.fixture
def server(tmp_path: Path):
    """A NATS server of this test's own, that it may stop and start."""
    server = Restartable(tmp_path)
    yield server
    server.stop()


@pytest_asyncio.fixture
async def holder(runner: Bus) -> Holder:
    holder = Holder(runner)
    await holder.serve()
    return holder


@pytest_asyncio.fixture
async def follower(gateway: Bus):
    follower = Follower(gateway)
    yield follower
    await follower.close()
