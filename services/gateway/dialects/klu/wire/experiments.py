"""Experiments. The SDKs know of two variants, the primary and the secondary one; `variants` holds all of them."""

from datetime import datetime

from msgspec import Struct

from services.gateway.dialects.klu.wire.pages import CAMEL


class WantedVariant(Struct, frozen=True, kw_only=True):
    """`version`: the guid or number of a version."""

    action: str
    version: str | int | None = None
    weight: float = 1.0


class CreateExperiment(Struct, frozen=True, kw_only=True):
    name: str
    app_guid: str | None = None
    action_primary_guid: str | None = None
    action_secondary_guid: str | None = None
    variants: list[WantedVariant] | None = None


class UpdateExperiment(Struct, frozen=True, kw_only=True):
    name: str | None = None
    action_primary_guid: str | None = None
    action_secondary_guid: str | None = None
    variants: list[WantedVariant] | None = None
    status: str | None = None


class Variant(Struct, frozen=True, kw_only=True):
    guid: str
    action: str
    version: str | None
    version_number: int | None
    weight: float


class Experiment(Struct, frozen=True, kw_only=True, rename=CAMEL):
    id: str
    guid: str
    name: str
    status: str
    app_guid: str | None
    action_primary_guid: str
    action_secondary_guid: str
    variants: list[Variant]
    created_by_id: str | None
    created_at: datetime
    updated_at: datetime


class Rating(Struct, frozen=True, kw_only=True):
    """The true share of good runs is between `low` and `high` with a confidence of 95 %."""

    positive: int
    negative: int
    positive_share: float | None
    low: float
    high: float


class Result(Struct, frozen=True, kw_only=True):
    """Latencies are in milliseconds."""

    guid: str
    action: str
    current: bool
    runs: int
    succeeded: int
    failed: int
    cancelled: int
    cached: int
    latency_mean: float | None
    latency_p50: float | None
    latency_p95: float | None
    num_input_tokens: int
    num_output_tokens: int
    cost_usd: float
    runs_without_price: int
    rating: Rating


class Results(Struct, frozen=True, kw_only=True):
    guid: str
    name: str
    status: str
    variants: list[Result]
