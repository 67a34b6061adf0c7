"""What a test says to services: questions asked as the gateway asks them, facts stated as their owners state them."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import TypeVar
from uuid import UUID

import msgspec

from libs.blobs import Blobs
from libs.bus.bus import Bus
from libs.contracts import ids
from libs.contracts.subjects import Event, Stated
from tests.support.servers import Databases
from tests.support.services import blobs_folder

F = TypeVar("F")


@asynccontextmanager
async def gateway(nats_url: str, databases: Databases) -> AsyncGenerator[Bus]:
    """The bus as the gateway has it: it may call everybody."""
    blobs = Blobs.open(f"file://{blobs_folder(databases.url)}")
    bus = await Bus.connect(nats_url, owner="gateway", instance="gateway-test", blobs=blobs)
    try:
        yield bus
    finally:
        await bus.close()


async def state(bus: Bus, event: Event[F], *facts: F, id: UUID | None = None) -> UUID:
    """Publish facts as the relay of their owner does; `id` where there is one fact. The event id of the last."""
    at = datetime.now(UTC)
    batch = [Stated(id or ids.new(), at, msgspec.Raw(event.pack(fact))) for fact in facts]
    await bus.state(event.name, batch, str(ids.new()))
    return batch[-1].id
