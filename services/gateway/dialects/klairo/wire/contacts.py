"""Contacts. What a client keeps of one beside these fields is its metadata, by whatever names."""

from datetime import datetime
from typing import Any

from msgspec import UNSET, Struct, UnsetType

Text = str | UnsetType | None


class GivenContact(Struct, frozen=True, kw_only=True):
    """What is absent stays as it is, null empties."""

    name: Text = UNSET
    email: Text = UNSET
    company: Text = UNSET
    tags: list[str] | UnsetType | None = UNSET
    metadata: dict[str, Any] | UnsetType | None = UNSET


class Contact(Struct, frozen=True, kw_only=True):
    id: str
    name: str
    email: str
    company: str
    tags: list[str]
    metadata: dict[str, Any]
    created_at: datetime
    updated_at: datetime


class Contacts(Struct, frozen=True, kw_only=True):
    data: list[Contact]
    total: int
    limit: int
    offset: int
