"""A page of the engine as a page of Klu's."""

from collections.abc import Callable
from typing import TypeVar

from libs.contracts.paging import Page, Slice
from services.gateway.dialects.klu.wire import pages

T = TypeVar("T")
R = TypeVar("R")


def reply(page: Page[T], slice: Slice, render: Callable[[T], R]) -> pages.Page[R]:
    seen = slice.offset + len(page.items)
    return pages.Page(
        data=[render(item) for item in page.items],
        total_count=page.total,
        has_next_page=bool(page.items) and seen < page.total,
    )
