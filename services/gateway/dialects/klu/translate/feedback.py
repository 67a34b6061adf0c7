"""Feedback. A rating is 1 or 2, which the SDKs write as text; the answer to who sent one keeps its spelling."""

from typing import Any
from uuid import UUID

from msgspec import UNSET, UnsetType

from libs.contracts import feedback
from services.gateway.dialects.klu import wire
from services.gateway.dialects.klu.translate import values
from services.gateway.directory.callers import Caller

_RATINGS: dict[int | str, int] = {"1": 1, "2": 2}


def create(caller: Caller, body: wire.feedback.CreateFeedback, run_id: UUID | None = None) -> feedback.CreateFeedback:
    """`run_id` where the address names the data point."""
    return feedback.CreateFeedback(
        workspace_id=caller.workspace_id,
        run_id=run_id or _data_point(body),
        type=body.type,
        value=_value(body.type, body.value),
        source=body.source or "api",
        created_by=body.created_by or values.spelled(caller.account_id) or "",
        metadata=body.meta_data or body.metadata or {},
    )


def _data_point(body: wire.feedback.CreateFeedback) -> UUID:
    return values.required(body.data_guid, "data_guid") if body.data_guid else values.required(body.data, "data")


def update(
    asked: feedback.GetFeedback, before: feedback.Feedback, body: wire.feedback.UpdateFeedback
) -> feedback.UpdateFeedback:
    type = body.type or before.type
    metadata = body.meta_data if body.meta_data is not None else body.metadata
    return feedback.UpdateFeedback(
        asked.workspace_id,
        asked.feedback_id,
        type=values.kept(body.type),
        value=_changed(type, before, body),
        source=values.kept(body.source),
        created_by=values.kept(body.created_by),
        metadata=values.kept(metadata),
    )


def _changed(
    type: feedback.Type, before: feedback.Feedback, body: wire.feedback.UpdateFeedback
) -> int | str | UnsetType:
    """A value that stays must still suit a type that changes."""
    if body.value is not None:
        return _value(type, body.value)
    return UNSET if type == before.type else _value(type, before.value)


def _value(type: feedback.Type, value: int | str | None) -> int | str:
    """Whether it suits its type, its owner says."""
    if value is None:
        return ""
    return _RATINGS.get(value, value) if type == "rating" else str(value)


def echoed(given: feedback.Feedback, value: int | str | None) -> wire.feedback.Feedback:
    """For who sent `value`: in their spelling."""
    return _reply(given, given.value if value is None else value)


def reply(given: feedback.Feedback) -> wire.feedback.Feedback:
    return _reply(given, given.value)


def deleted(given: feedback.Feedback) -> wire.feedback.Feedback:
    return _reply(given, given.value, deleted=True)


def _reply(given: feedback.Feedback, value: int | str, *, deleted: bool = False) -> wire.feedback.Feedback:
    metadata: dict[str, Any] = given.metadata
    return wire.feedback.Feedback(
        guid=str(given.id),
        type=given.type,
        value=value,
        data_guid=str(given.run_id),
        data=str(given.run_id),
        source=given.source,
        created_by_id=given.created_by,
        deleted=deleted,
        metadata=metadata,
        meta_data=metadata,
        created_at=given.created_at,
        updated_at=given.updated_at,
    )
