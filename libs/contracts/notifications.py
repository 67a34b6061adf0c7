"""Notifications: what a workspace is told of by itself, such as deliveries that failed for good.

Owner: webhook_dispatcher. What happens again on the same day is one notification, unread again, that says how often.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from msgspec import Struct

from libs.contracts.paging import Slice
from libs.contracts.subjects import Rpc


class Notification(Struct, frozen=True):
    """`times` it happened on its day; `metadata` names what it is about, ids as UUIDs."""

    id: UUID
    workspace_id: UUID
    type: str
    title: str
    body: str
    metadata: dict[str, Any]
    times: int
    read: bool
    created_at: datetime


class PageNotifications(Struct, frozen=True):
    """Newest first."""

    workspace_id: UUID
    unread: bool = False
    slice: Slice = Slice()


class Notifications(Struct, frozen=True):
    items: list[Notification]
    total: int
    unread: int


class MarkRead(Struct, frozen=True):
    """None stands for all of them."""

    workspace_id: UUID
    ids: list[UUID] | None = None


class Marked(Struct, frozen=True):
    """How many were unread before, and how many still are."""

    updated: int
    unread: int


PAGE = Rpc("rpc.webhook_dispatcher.notifications.page", PageNotifications, Notifications)
READ = Rpc("rpc.webhook_dispatcher.notifications.read", MarkRead, Marked)
