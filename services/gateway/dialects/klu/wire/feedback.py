"""Feedback on a data point."""

from datetime import datetime
from typing import Any, Literal

from msgspec import Struct, field

Type = Literal["rating", "correction", "issue", "action"]


class CreateFeedback(Struct, frozen=True, kw_only=True):
    """The API page names the data point `data_guid`, the SDKs `data`."""

    type: Type
    value: int | str | None = None
    data_guid: str | None = None
    data: str | None = None
    source: str | None = None
    created_by: str | None = field(default=None, name="createdById")
    meta_data: dict[str, Any] | None = None
    metadata: dict[str, Any] | None = None


class UpdateFeedback(Struct, frozen=True, kw_only=True):
    type: Type | None = None
    value: int | str | None = None
    source: str | None = None
    created_by: str | None = None
    meta_data: dict[str, Any] | None = None
    metadata: dict[str, Any] | None = None


class Feedback(Struct, frozen=True, kw_only=True):
    guid: str
    type: str
    value: int | str
    data_guid: str
    data: str
    source: str
    created_by_id: str
    deleted: bool
    metadata: dict[str, Any]
    meta_data: dict[str, Any]
    created_at: datetime
    updated_at: datetime
