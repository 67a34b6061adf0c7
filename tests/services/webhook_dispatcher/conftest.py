"""A dispatcher as in production, a caller as the gateway is one, and facts stated as their owners would."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from uuid import UUID

import msgspec
import pytest_asyncio

from libs.blobs import Blobs
from libs.bus.bus import Bus
from libs.contracts import deliveries, endpoints, feedback, ids
from libs.contracts.subjects import Event, Stated
from libs.runtime.service import Service
from tests.support.services import blobs_folder, running

State = Callable[..., Awaitable[UUID]]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def dispatcher(nats_url, databases) -> AsyncIterator[Service]:
    async with running("webhook_dispatcher", nats_url, databases) as service:
        yield service


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def bus(nats_url, databases) -> AsyncIterator[Bus]:
    """The gateway's: it may ask everybody."""
    blobs = Blobs.open(f"file://{blobs_folder(databases.url)}")
    bus = await Bus.connect(nats_url, owner="gateway", instance="gateway-test", blobs=blobs)
    yield bus
    await bus.close()


@pytest_asyncio.fixture(loop_scope="session")
async def state(bus) -> State:
    async def state(event: Event, *facts: object, id: UUID | None = None) -> UUID:
        """Publish facts as the relay of their owner does; the id of the last."""
        batch = [Stated(id or ids.new(), datetime.now(UTC), msgspec.Raw(event.pack(fact))) for fact in facts]
        await bus.state(event.name, batch, str(ids.new()))
        return batch[-1].id

    return state


@pytest_asyncio.fixture(loop_scope="session")
async def subscribe(bus) -> Callable[..., Awaitable[endpoints.CreatedEndpoint]]:
    async def subscribe(workspace_id: UUID, url: str, *events: str) -> endpoints.CreatedEndpoint:
        request = endpoints.CreateEndpoint(workspace_id, url, list(events) or ["*"])
        return await bus.call(endpoints.CREATE, request)

    return subscribe


def rated(workspace_id: UUID, value: int = 2) -> feedback.FeedbackCreated:
    return feedback.FeedbackCreated(workspace_id, ids.new(), ids.new(), "rating", value)


async def latest(bus, endpoint: endpoints.Endpoint) -> list[deliveries.Delivery]:
    return await bus.call(deliveries.LATEST, deliveries.LatestDeliveries(endpoint.workspace_id, endpoint.id))


async def delivered(bus, endpoint: endpoints.Endpoint, *, count: int) -> None:
    """Returns once the log says that so many arrived."""
    async with asyncio.timeout(15):
        while True:
            log = await latest(bus, endpoint)
            if [delivery.status for delivery in log] == ["delivered"] * count:
                return
            await asyncio.sleep(0.02)
