"""API keys."""

from datetime import datetime
from typing import Annotated

from msgspec import Meta, Struct


class CreateKey(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    name: Annotated[str, Meta(min_length=1, max_length=200)]


class Key(Struct, frozen=True, kw_only=True):
    """`prefix` is what the key begins with."""

    id: str
    name: str
    prefix: str
    created_at: datetime


class CreatedKey(Key, frozen=True, kw_only=True):
    """The one reply that holds the key itself."""

    key: str


class Keys(Struct, frozen=True, kw_only=True):
    data: list[Key]
    total: int
    limit: int
    offset: int


class Validity(Struct, frozen=True, kw_only=True):
    """`usage` and `limit` are the workspace's in this month, None where there is no limit.

    Nobody's key, which the operator made, has neither user nor e-mail address.
    """

    valid: bool = True
    user_id: str | None
    email: str | None
    plan: str
    key_name: str
    usage: int
    limit: int | None
