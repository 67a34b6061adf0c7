"""Datasets, and which data points are in them."""

from datetime import datetime

from msgspec import Struct, field


class CreateDataset(Struct, frozen=True, kw_only=True):
    """`data`: guids of data points."""

    name: str
    description: str | None = None
    app: str | None = None
    data: list[str] | None = None


class UpdateDataset(Struct, frozen=True, kw_only=True):
    name: str | None = None
    description: str | None = None


class Points(Struct, frozen=True, kw_only=True):
    data: list[str]


class Dataset(Struct, frozen=True, kw_only=True):
    """An SDK reads `createdById`, and keeps `created_by_id`."""

    guid: str
    name: str
    description: str
    app: str | None
    created_by: str | None = field(name="createdById")
    created_by_id: str | None
    created_at: datetime
    updated_at: datetime
