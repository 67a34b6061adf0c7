"""Analytics: what happened in a workspace within a range of days."""

from datetime import date
from typing import Literal

from msgspec import Struct

# What is wrong where two days don't go together.
RANGE = "from, to"

Period = Literal["day", "week", "month"]


class Day(Struct, frozen=True, kw_only=True):
    date: date
    chat_messages: int
    automation_runs: int
    contacts_created: int
    api_calls: int


class Summary(Struct, frozen=True, kw_only=True):
    """Of all the days."""

    chat_messages: int
    automation_runs: int
    contacts_created: int
    api_calls: int
    webhooks_delivered: int


class Quota(Struct, frozen=True, kw_only=True):
    """None is without a limit."""

    plan: str
    chat_limit_daily: int | None
    chat_used_today: int
    api_limit_per_minute: int


class Analytics(Struct, frozen=True, kw_only=True, rename={"first": "from", "last": "to"}):
    period: Period
    first: date
    last: date
    summary: Summary
    daily: list[Day]
    quota: Quota
