"""Deliveries: how they went, for whoever asks, and those that are made because somebody asked.

Owner: webhook_dispatcher.
"""

from datetime import UTC, datetime
from uuid import UUID

from libs.contracts import deliveries, endpoints, ids
from libs.contracts.faults import Code, Fault, not_found
from libs.egress import Egress
from libs.postgres import outbox
from libs.postgres.database import Connection, Database
from services.webhook_dispatcher import payloads
from services.webhook_dispatcher.fan_outs import QUEUED
from services.webhook_dispatcher.store import deliveries as store
from services.webhook_dispatcher.store import endpoints as endpoint_store

_MOST = 100


class Deliveries:
    def __init__(self, database: Database, egress: Egress) -> None:
        self._database, self._egress = database, egress

    async def latest(self, request: deliveries.LatestDeliveries) -> list[deliveries.Delivery]:
        endpoint = await self._endpoint(self._database, request.workspace_id, request.endpoint_id)
        most = max(0, min(request.limit, _MOST))
        return await store.latest(self._database, endpoint.id, most, born=endpoint.created_at)

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
            fact = endpoints.EndpointTested(request.workspace_id, endpoint.id)
            await outbox.state(connection, endpoints.TESTED, [fact])
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
