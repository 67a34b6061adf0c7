"""Klu's page of a list, its error, and what several nouns write alike."""

from typing import Generic, TypeVar

from msgspec import Struct

T = TypeVar("T")

# SDKs and older clients write booleans as words too.
Flag = bool | str | int | None

CAMEL = {"created_at": "createdAt", "updated_at": "updatedAt", "created_by_id": "createdById"}


class Page(Struct, Generic[T], frozen=True):
    data: list[T]
    total_count: int
    has_next_page: bool


class Rows(Struct, Generic[T], frozen=True):
    data: list[T]


class Status(Struct, frozen=True):
    status: str


class Error(Struct, frozen=True):
    """The API page names `error` and `message`; the SDKs read `detail`."""

    error: str
    message: str
    detail: str
