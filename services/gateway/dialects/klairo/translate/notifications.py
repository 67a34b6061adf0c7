"""Notifications: as they are listed, with what they are about under KlairoAI's ids, and which are marked as read."""

from typing import Any
from uuid import UUID

from libs.contracts import ids, notifications
from libs.contracts.faults import Code, Fault
from libs.contracts.paging import Slice
from services.gateway.dialects.klairo import wire
from services.gateway.directory.callers import Caller

# What of a notification's metadata is an id, and how this voice begins it.
_PREFIXES = {
    "automation_id": "auto",
    "contact_id": "cnt",
    "conversation_id": "conv",
    "message_id": "msg",
    "run_id": "run",
    "webhook_id": "wh",
}


def notification(told: notifications.Notification) -> wire.notifications.Notification:
    return wire.notifications.Notification(
        id=ids.crockford("ntf", told.id),
        type=told.type,
        title=told.title,
        body=told.body,
        read=told.read,
        metadata={name: _spelled(name, value) for name, value in told.metadata.items()} | _times(told.times),
        created_at=told.created_at,
    )


def _spelled(name: str, value: Any) -> Any:
    if name not in _PREFIXES or not isinstance(value, str) or (id := ids.parse(value)) is None:
        return value
    return ids.crockford(_PREFIXES[name], id)


def _times(times: int) -> dict[str, int]:
    return {"times": times} if times > 1 else {}


def listed(page: notifications.Notifications, slice: Slice) -> wire.notifications.Notifications:
    return wire.notifications.Notifications(
        data=[notification(told) for told in page.items],
        unread_count=page.unread,
        total=page.total,
        limit=slice.limit,
        offset=slice.offset,
    )


def read(caller: Caller, body: wire.notifications.MarkRead) -> notifications.MarkRead:
    """Raises Fault INVALID for a body that names none, or both some and all."""
    if (body.ids is None) == (not body.all):
        raise Fault(Code.INVALID, "Give the ids of notifications, or all: true.", field="ids")
    return notifications.MarkRead(caller.workspace_id, None if body.ids is None else _known(body.ids))


def _known(spelled: list[str]) -> list[UUID]:
    """An id that is none marks nothing, as one that nobody has."""
    return [id for text in spelled if (id := ids.parse(text)) is not None]


def marked(done: notifications.Marked) -> wire.notifications.Marked:
    return wire.notifications.Marked(done.updated, done.unread)
