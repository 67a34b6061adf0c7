"""Pages: a slice of a list, with the size of the whole."""

from typing import Generic, TypeVar

from msgspec import Struct

T = TypeVar("T")


class Slice(Struct, frozen=True):
    """`limit` items from `offset` on, counted from 0."""

    offset: int = 0
    limit: int = 100


class Page(Struct, Generic[T], frozen=True):
    items: list[T]
    total: int
