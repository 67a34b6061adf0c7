"""Deliveries: one event on its way to one endpoint, attempted until it arrives or the schedule is used up.

Owner: webhook_dispatcher.
"""

from datetime import datetime
from uuid import UUID

from msgspec import Struct

from libs.contracts.subjects import Event, Rpc


class Attempt(Struct, frozen=True):
    """`excerpt` holds at most 1 KiB of the response."""

    number: int
    at: datetime
    latency_ms: float
    status_code: int | None = None
    error: str | None = None
    excerpt: str = ""


class Delivery(Struct, frozen=True):
    """`status` is pending, delivered or failed. `redelivery_of` is the delivery that this one repeats by hand."""

    id: UUID
    endpoint_id: UUID
    event_id: UUID
    event: str
    status: str
    attempts: list[Attempt]
    created_at: datetime
    next_attempt_at: datetime | None = None
    redelivery_of: UUID | None = None


class LatestDeliveries(Struct, frozen=True):
    """Newest first."""

    workspace_id: UUID
    endpoint_id: UUID
    limit: int = 50


class SendTest(Struct, frozen=True):
    """`id`: the event's."""

    workspace_id: UUID
    endpoint_id: UUID
    id: UUID | None = None


class Redeliver(Struct, frozen=True):
    """The same event to the same endpoint, over the whole schedule. `id`: the new delivery's."""

    workspace_id: UUID
    delivery_id: UUID
    id: UUID | None = None


class DeliveriesArrived(Struct, frozen=True):
    """So many deliveries more have arrived, whichever their events and endpoints."""

    workspace_id: UUID
    deliveries: int


LATEST = Rpc("rpc.webhook_dispatcher.deliveries.latest", LatestDeliveries, list[Delivery])
TEST = Rpc("rpc.webhook_dispatcher.deliveries.test", SendTest, Delivery)
REDELIVER = Rpc("rpc.webhook_dispatcher.deliveries.redeliver", Redeliver, Delivery)
ARRIVED = Event("event.webhook_dispatcher.deliveries.arrived", DeliveriesArrived)
