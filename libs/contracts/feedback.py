"""Feedback: what people say of a run: a rating, a correction, an issue, an action taken.

Owner: feedback.
"""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from msgspec import UNSET, Struct, UnsetType

from libs.contracts.paging import Page, Slice
from libs.contracts.subjects import Event, Rpc

Type = Literal["rating", "correction", "issue", "action"]


class Feedback(Struct, frozen=True):
    """`value` is 1 (negative) or 2 (positive) for a rating and text for the others."""

    id: UUID
    workspace_id: UUID
    run_id: UUID
    type: Type
    value: int | str
    source: str
    created_by: str
    metadata: dict[str, Any]
    created_at: datetime
    updated_at: datetime


class CreateFeedback(Struct, frozen=True):
    workspace_id: UUID
    run_id: UUID
    type: Type
    value: int | str
    source: str = "api"
    created_by: str = ""
    metadata: dict[str, Any] = {}
    id: UUID | None = None


class GetFeedback(Struct, frozen=True):
    workspace_id: UUID
    feedback_id: UUID


class PageFeedback(Struct, frozen=True):
    workspace_id: UUID
    slice: Slice = Slice()


class UpdateFeedback(Struct, frozen=True):
    """What is UNSET stays as it is."""

    workspace_id: UUID
    feedback_id: UUID
    type: Type | UnsetType = UNSET
    value: int | str | UnsetType = UNSET
    source: str | UnsetType = UNSET
    created_by: str | UnsetType = UNSET
    metadata: dict[str, Any] | UnsetType = UNSET


class FeedbackOf(Struct, frozen=True):
    workspace_id: UUID
    run_ids: list[UUID]


class FeedbackCreated(Struct, frozen=True):
    """`value` is a rating's. A text is asked for where it is needed: what an event holds can't be erased."""

    workspace_id: UUID
    feedback_id: UUID
    run_id: UUID
    type: Type
    value: int | str


class RatingsOf(Struct, frozen=True):
    workspace_id: UUID
    experiment_id: UUID


class Ratings(Struct, frozen=True):
    """How many runs of a variant were rated which way last. `share` is that of the positive ones, with the bounds that
    the true share lies between with a confidence of 95 %.
    """

    variant_id: UUID
    negative: int
    positive: int
    share: float
    low: float
    high: float


CREATE = Rpc("rpc.feedback.feedback.create", CreateFeedback, Feedback)
GET = Rpc("rpc.feedback.feedback.get", GetFeedback, Feedback)
PAGE = Rpc("rpc.feedback.feedback.page", PageFeedback, Page[Feedback])
UPDATE = Rpc("rpc.feedback.feedback.update", UpdateFeedback, Feedback)
DELETE = Rpc("rpc.feedback.feedback.delete", GetFeedback, Feedback)
OF = Rpc("rpc.feedback.feedback.of", FeedbackOf, list[Feedback])
CREATED = Event("event.feedback.feedback.created", FeedbackCreated)
RATINGS = Rpc("rpc.feedback.ratings.of", RatingsOf, list[Ratings])
