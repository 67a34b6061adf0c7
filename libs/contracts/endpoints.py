"""Webhook endpoints: where a workspace wants its events delivered.

Owner: webhook_dispatcher. An endpoint subscribes by exact event name, by prefix (`generation.*`) or to all (`*`).
"""

from datetime import datetime
from typing import Literal
from uuid import UUID

from msgspec import Struct

from libs.contracts.paging import Page, Slice
from libs.contracts.subjects import Event, Rpc


class Endpoint(Struct, frozen=True):
    """`status` is active or disabled; `failing_since` is when the first attempt failed since the last that arrived.

    `public_key` verifies its v1a signatures, where it has them. `ordered`: its deliveries are made one at a time, in
    the order of their events.
    """

    id: UUID
    workspace_id: UUID
    url: str
    events: list[str]
    description: str
    status: str
    created_at: datetime
    failing_since: datetime | None = None
    public_key: str | None = None
    ordered: bool = False


class CreateEndpoint(Struct, frozen=True):
    """`asymmetric`: deliveries are signed with a private Ed25519 key as well.

    `at_most` so many may the workspace have: one more is refused with FORBIDDEN.
    """

    workspace_id: UUID
    url: str
    events: list[str]
    description: str = ""
    id: UUID | None = None
    asymmetric: bool = False
    at_most: int | None = None
    ordered: bool = False


class CreatedEndpoint(Struct, frozen=True):
    """The `secret` is shown this once: it is kept encrypted, and given out again to its making's repetition alone."""

    endpoint: Endpoint
    secret: str


class GetEndpoint(Struct, frozen=True):
    workspace_id: UUID
    endpoint_id: UUID


class UpdateEndpoint(Struct, frozen=True):
    """What is None stays as it is. A disabled endpoint gets nothing, and loses what waits for it."""

    workspace_id: UUID
    endpoint_id: UUID
    url: str | None = None
    events: list[str] | None = None
    description: str | None = None
    status: Literal["active", "disabled"] | None = None
    ordered: bool | None = None


class PageEndpoints(Struct, frozen=True):
    workspace_id: UUID
    slice: Slice = Slice()


class EndpointDisabled(Struct, frozen=True):
    """It was given up on: nothing is sent to it any more."""

    workspace_id: UUID
    endpoint_id: UUID


class EndpointTested(Struct, frozen=True):
    """Somebody asked for a test delivery to it."""

    workspace_id: UUID
    endpoint_id: UUID


CREATE = Rpc("rpc.webhook_dispatcher.endpoints.create", CreateEndpoint, CreatedEndpoint)
PAGE = Rpc("rpc.webhook_dispatcher.endpoints.page", PageEndpoints, Page[Endpoint])
UPDATE = Rpc("rpc.webhook_dispatcher.endpoints.update", UpdateEndpoint, Endpoint)
ROTATE = Rpc("rpc.webhook_dispatcher.endpoints.rotate", GetEndpoint, CreatedEndpoint)
DELETE = Rpc("rpc.webhook_dispatcher.endpoints.delete", GetEndpoint, Endpoint)
DISABLED = Event("event.webhook_dispatcher.endpoints.disabled", EndpointDisabled)
TESTED = Event("event.webhook_dispatcher.endpoints.tested", EndpointTested)
