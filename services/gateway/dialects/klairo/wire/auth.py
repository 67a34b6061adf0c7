"""Logging in, and who is logged in."""

from datetime import datetime

from msgspec import Struct


class Login(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`workspace` is an id, for accounts of several."""

    email: str
    password: str
    workspace: str | None = None


class User(Struct, frozen=True, kw_only=True):
    id: str
    email: str
    name: str
    plan: str


class LoggedIn(Struct, frozen=True, kw_only=True):
    token: str
    expires_at: datetime
    user: User


class Plan(Struct, frozen=True, kw_only=True):
    id: str
    label: str
    status: str = "active"
    renews_at: datetime | None = None


class Quota(Struct, frozen=True, kw_only=True):
    """None is without a limit."""

    chat_limit_daily: int | None
    api_limit_per_minute: int
    automations_max: int | None


class Me(Struct, frozen=True, kw_only=True):
    id: str
    name: str
    email: str
    avatar_url: str | None = None
    plan: Plan
    quota: Quota
    created_at: datetime
    last_seen_at: datetime | None
