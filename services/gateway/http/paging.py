"""Paging: the slice of a list that a query asks for."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TypeVar

from aiohttp import web

from libs.contracts.paging import Page, Slice
from services.gateway.http import params

T = TypeVar("T")

MOST = 1000


def slice_of(request: web.Request, *, offset: str = "skip", default: int = 100, most: int = MOST) -> Slice:
    """`?<offset>=&limit=`. Raises Fault INVALID; a limit over `most` is taken as `most`."""
    return Slice(
        offset=params.whole(request, offset, 0),
        limit=params.whole(request, "limit", default, least=1, most=most),
    )


async def every(page: Callable[[Slice], Awaitable[Page[T]]]) -> AsyncIterator[T]:
    """All that there is, asked for page by page."""
    offset, total = 0, 1
    while offset < total:
        found = await page(Slice(offset, MOST))
        for item in found.items:
            yield item
        offset, total = offset + MOST, found.total
