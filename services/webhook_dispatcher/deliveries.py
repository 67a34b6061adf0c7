"""Deliveries: from the engine's facts to rows in the queue, and how they went, for whoever asks.

Owner: webhook_dispatcher. The rows commit with the fact's id, so a fact heard twice is queued once; the dispatcher is
woken when they have.
"""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import TypeVar
from uuid import UUID

from libs.bus.hear import Heard
from libs.contracts import deliveries, endpoints, ids
from libs.contracts.faults import Code, Fault, not_found
from libs.egress import Egress
from libs.postgres.database import Connection, Database
from services.webhook_dispatcher import payloads
from services.webhook_dispatcher.payloads import Message
from services.webhook_dispatcher.store import deliveries as store
from services.webhook_dispatcher.store import endpoints as endpoint_store

# What is woken once rows are queued.
QUEUED = "webhook_dispatcher.queued"

_MOST = 100

Fact = TypeVar("Fact")


def fan_out(
    *makers: Callable[[UUID, datetime, Fact], Message | None],
) -> Callable[[Connection, list[Heard[Fact]]], Awaitable[None]]:
    """What is done on hearing facts that each of `makers` turns into a payload: one statement for all of them."""

    async def apply(connection: Connection, heard: list[Heard[Fact]]) -> None:
        messages = [make(event.id, event.at, event.fact) for event in heard for make in makers]
        if await store.add(connection, [made for made in messages if made is not None]):
            connection.wake_after(QUEUED)

    return apply


class Deliveries:
    def __init__(self, database: Database, egress: Egress) -> None:
        self._database, self._egress = database, egress

    async def latest(self, request: deliveries.LatestDeliveries) -> list[deliveries.Delivery]:
        await self._endpoint(self._database, request.workspace_id, request.endpoint_id)
        return await store.latest(self._database, request.endpoint_id, max(0, min(request.limit, _MOST)))

    async def test(self, request: deliveries.SendTest) -> deliveries.Delivery:
        """Queues a `test.ping`; what became of it is in the log a moment later."""
        at = datetime.now(UTC)
        ping = payloads.test_ping(
            request.id or ids.new(), at, workspace_id=request.workspace_id, endpoint_id=request.endpoint_id
        )
        async with self._database.transaction() as connection:
            endpoint = await self._endpoint(connection, request.workspace_id, request.endpoint_id)
            self._must_be_sent_to(endpoint)
            id = await store.add_to(connection, ping, endpoint.id)
            connection.wake_after(QUEUED)
        return deliveries.Delivery(id, endpoint.id, ping.event_id, ping.event, "pending", [], at, at)

    async def redeliver(self, request: deliveries.Redeliver) -> deliveries.Delivery:
        """Whatever became of the first: a delivery of its own, which names it."""
        id, at = request.id or ids.new(), datetime.now(UTC)
        async with self._database.transaction() as connection:
            sent = await store.find(connection, request.workspace_id, request.delivery_id)
            if sent is None:
                raise not_found("delivery", request.delivery_id)
            self._must_be_sent_to(await self._endpoint(connection, request.workspace_id, sent.endpoint_id))
            if not sent.kept:
                raise Fault(Code.CONFLICT, "What was delivered is no longer kept.")
            await store.add_again(connection, request.workspace_id, sent, id=id, at=at)
            connection.wake_after(QUEUED)
        return deliveries.Delivery(id, sent.endpoint_id, sent.event_id, sent.event, "pending", [], at, at, sent.id)

    def _must_be_sent_to(self, endpoint: endpoints.Endpoint) -> None:
        self._egress.check(endpoint.url)
        if endpoint.status != "active":
            raise Fault(Code.CONFLICT, "This webhook is disabled: nothing is delivered to it.")

    async def _endpoint(self, connection: Connection | Database, workspace_id: UUID, id: UUID) -> endpoints.Endpoint:
        endpoint = await endpoint_store.get(connection, workspace_id, id)
        if endpoint is None:
            raise not_found("webhook", id)
        return endpoint
