"""Webhooks: as they are asked for, as they are shown, and what was sent to them."""

from typing import TypeVar

from msgspec import UNSET, UnsetType

from libs.contracts import deliveries, endpoints, ids
from libs.contracts.faults import Code, Fault
from libs.contracts.paging import Page, Slice
from services.gateway.dialects.klairo import wire
from services.gateway.directory.callers import Caller

T = TypeVar("T")


def create(caller: Caller, body: wire.webhooks.CreateWebhook, *, at_most: int | None) -> endpoints.CreateEndpoint:
    if not body.events:
        raise Fault(Code.INVALID, 'Name at least one event, or ["*"] for all.', field="events")
    return endpoints.CreateEndpoint(
        caller.workspace_id,
        body.url,
        body.events,
        body.description or "",
        asymmetric=body.asymmetric,
        at_most=at_most,
        ordered=body.ordered,
    )


def update(named: endpoints.GetEndpoint, body: wire.webhooks.UpdateWebhook) -> endpoints.UpdateEndpoint:
    return endpoints.UpdateEndpoint(
        named.workspace_id,
        named.endpoint_id,
        url=_given(body.url),
        events=_given(body.events),
        description=_given(body.description if body.description is not None else ""),
        status=_given(body.status),
        ordered=_given(body.ordered),
    )


def _given(value: T | UnsetType) -> T | None:
    return None if isinstance(value, UnsetType) else value


def created(made: endpoints.CreatedEndpoint) -> wire.webhooks.CreatedWebhook:
    shown = webhook(made.endpoint)
    return wire.webhooks.CreatedWebhook(
        id=shown.id,
        url=shown.url,
        events=shown.events,
        description=shown.description,
        status=shown.status,
        created_at=shown.created_at,
        public_key=shown.public_key,
        ordered=shown.ordered,
        secret=made.secret,
    )


def webhook(endpoint: endpoints.Endpoint) -> wire.webhooks.Webhook:
    return wire.webhooks.Webhook(
        id=ids.crockford("wh", endpoint.id),
        url=endpoint.url,
        events=endpoint.events,
        description=endpoint.description,
        status=endpoint.status,
        created_at=endpoint.created_at,
        public_key=endpoint.public_key or UNSET,
        ordered=endpoint.ordered or UNSET,
    )


def webhooks(page: Page[endpoints.Endpoint], slice: Slice) -> wire.webhooks.Webhooks:
    shown = [webhook(endpoint) for endpoint in page.items]
    return wire.webhooks.Webhooks(data=shown, total=page.total, limit=slice.limit, offset=slice.offset)


def delivery(sent: deliveries.Delivery) -> wire.webhooks.Delivery:
    return wire.webhooks.Delivery(
        id=str(sent.id),
        webhook_id=ids.crockford("wh", sent.endpoint_id),
        event=sent.event,
        event_id=ids.crockford("evt", sent.event_id),
        status=sent.status,
        attempts=[_attempt(attempt) for attempt in sent.attempts],
        created_at=sent.created_at,
        next_attempt_at=sent.next_attempt_at,
        redelivery_of=None if sent.redelivery_of is None else str(sent.redelivery_of),
    )


def _attempt(attempt: deliveries.Attempt) -> wire.webhooks.Attempt:
    return wire.webhooks.Attempt(
        number=attempt.number,
        at=attempt.at,
        status_code=attempt.status_code,
        latency_ms=attempt.latency_ms,
        error=attempt.error,
        response_excerpt=attempt.excerpt,
    )
