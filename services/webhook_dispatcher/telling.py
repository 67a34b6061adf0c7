"""Telling: a workspace is notified of what became of its runs, its plan and its limits.

Owner: webhook_dispatcher.
"""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from msgspec import structs

from libs.contracts import ids, limits, plans, runs
from libs.postgres.database import Connection
from services.webhook_dispatcher.notices import Notice
from services.webhook_dispatcher.store import notifications as store

_REPLIED = ("aria_replied", "Aria has answered", "An answer that nobody waited for any more is in its conversation.")
_FAILED = ("aria_failed", "Aria could not answer", "An answer that nobody waited for any more could not be given.")


async def tell(connection: Connection, notices: Sequence[Notice]) -> None:
    if notices:
        await store.tell(connection, _together(notices))


def _together(notices: Sequence[Notice]) -> list[Notice]:
    """Those of one id are one, which says how often: the last."""
    told: dict[UUID, Notice] = {}
    for notice in notices:
        times = notice.times + (told[notice.id].times if notice.id in told else 0)
        told[notice.id] = structs.replace(notice, times=times)
    return list(told.values())


def reply_unread(_: UUID, at: datetime, fact: runs.RunFinished) -> Notice | None:
    """Of a reply of Aria's whose reader had left before its end: whoever was there has seen it."""
    if fact.voice != runs.ARIA or not fact.unread or fact.status is runs.Status.CANCELLED:
        return None
    type, title, body = _REPLIED if fact.status is runs.Status.SUCCEEDED else _FAILED
    conversation = fact.session_id or fact.run_id
    return Notice(
        id=ids.named(conversation, f"{type} {at.date()}"),
        workspace_id=fact.workspace_id,
        type=type,
        title=title,
        body=body,
        metadata={"conversation_id": str(conversation), "message_id": str(fact.run_id)},
        about=[fact.run_id],
    )


def plan_changed(event_id: UUID, _: datetime, fact: plans.PlanChanged) -> Notice:
    return Notice(
        id=event_id,
        workspace_id=fact.workspace_id,
        type="plan_changed",
        title="Plan changed",
        body=f"This workspace is on the plan {fact.plan}; it was on {fact.before}.",
        metadata={"plan": fact.plan, "previous_plan": fact.before},
    )


def limit_reached(_: UUID, at: datetime, fact: limits.LimitReached) -> Notice:
    """Of each limit one a day, however many windows of that day are used up."""
    used_up = f"The {fact.kind.spoken} of the plan {fact.plan} ({fact.limit}) are used up"
    return Notice(
        id=ids.named(fact.workspace_id, f"usage_limit_reached {fact.kind} {at.date()}"),
        workspace_id=fact.workspace_id,
        type="usage_limit_reached",
        title="Limit reached",
        body=f"{used_up}: more are refused until {fact.ends:%F %H:%M} UTC.",
        metadata={"kind": fact.kind, "limit": fact.limit, "plan": fact.plan},
    )
