"""A dispatcher as in production, and its caller."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from uuid import UUID

import pytest_asyncio

from libs.bus.bus import Bus
from libs.contracts import deliveries, endpoints, feedback, ids
from libs.runtime.service import Service
from services.webhook_dispatcher.fan_outs import QUEUED
from tests.support import calling
from tests.support.services import running


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def dispatcher(nats_url, databases) -> AsyncGenerator[Service]:
    async with running("webhook_dispatcher", nats_url, databases) as service:
        yield service


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def bus(nats_url, databases) -> AsyncGenerator[Bus]:
    async with calling.gateway(nats_url, databases) as bus:
        yield bus


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
    async with asyncio.timeout(60):
        while True:
            log = await latest(bus, endpoint)
            if [delivery.status for delivery in log] == ["delivered"] * count:
                return
            await asyncio.sleep(0.02)


async def settled(
    bus, endpoint: endpoints.Endpoint, *, attempts: int = 1, event: UUID | None = None
) -> deliveries.Delivery:
    """The newest delivery, once it is that of the event and so many of its attempts are in the log."""
    async with asyncio.timeout(60):
        while True:
            log = await latest(bus, endpoint)
            if log and len(log[0].attempts) >= attempts and event in (None, log[0].event_id):
                return log[0]
            await asyncio.sleep(0.02)


async def due_now(dispatcher, delivery_id: UUID) -> None:
    """The hours until the next attempt pass."""
    await dispatcher.database.execute("UPDATE queue SET due_at = now() WHERE delivery_id = $1", delivery_id)
    await dispatcher.bus.nudge(QUEUED)
