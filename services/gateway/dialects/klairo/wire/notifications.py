"""Notifications: what a workspace is told of by itself."""

from datetime import datetime
from typing import Annotated, Any

from msgspec import Meta, Struct


class MarkRead(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """These, or all of them."""

    ids: Annotated[list[str], Meta(max_length=1000)] | None = None
    all: bool | None = None


class Notification(Struct, frozen=True, kw_only=True):
    id: str
    type: str
    title: str
    body: str
    read: bool
    metadata: dict[str, Any]
    created_at: datetime


class Notifications(Struct, frozen=True, kw_only=True):
    """`total` is of what was asked for, `unread_count` of all."""

    data: list[Notification]
    unread_count: int
    total: int
    limit: int
    offset: int


class Marked(Struct, frozen=True):
    updated: int
    unread_count: int
