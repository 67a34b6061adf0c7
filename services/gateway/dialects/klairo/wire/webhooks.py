"""Webhooks and their deliveries."""

from datetime import datetime
from typing import Literal

from msgspec import UNSET, Struct, UnsetType


class CreateWebhook(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    url: str
    events: list[str]
    description: str | None = None
    asymmetric: bool = False
    ordered: bool = False


class UpdateWebhook(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is absent stays as it is; null empties the description."""

    url: str | UnsetType = UNSET
    events: list[str] | UnsetType = UNSET
    description: str | UnsetType | None = UNSET
    status: Literal["active", "disabled"] | UnsetType = UNSET
    ordered: bool | UnsetType = UNSET


class NamedWebhook(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The webhook may be named in the query instead."""

    id: str | None = None
    webhook_id: str | None = None


class NamedDelivery(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The delivery may be named in the query instead."""

    id: str | None = None


class Webhook(Struct, frozen=True, kw_only=True):
    """The `public_key` is there where an asymmetric signature was asked for, and `ordered` where it is true."""

    id: str
    url: str
    events: list[str]
    description: str
    status: str
    created_at: datetime
    public_key: str | UnsetType = UNSET
    ordered: bool | UnsetType = UNSET


class CreatedWebhook(Webhook, frozen=True, kw_only=True):
    """The one reply that holds the secret, to its making or its change."""

    secret: str


class Webhooks(Struct, frozen=True, kw_only=True):
    data: list[Webhook]
    total: int
    limit: int
    offset: int


class Attempt(Struct, frozen=True, kw_only=True):
    number: int
    at: datetime
    status_code: int | None
    latency_ms: float
    error: str | None
    response_excerpt: str


class Delivery(Struct, frozen=True, kw_only=True):
    """`id` is what the receiver sees as X-KlairoAI-Delivery."""

    id: str
    webhook_id: str
    event: str
    event_id: str
    status: str
    attempts: list[Attempt]
    created_at: datetime
    next_attempt_at: datetime | None
    redelivery_of: str | None


class Deliveries(Struct, frozen=True):
    data: list[Delivery]
    total: int
