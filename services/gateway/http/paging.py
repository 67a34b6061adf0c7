"""Paging: the slice of a list that a query asks for, and lists of the workspace's, part by part."""

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from aiohttp import web

from libs.contracts.paging import Page, Slice
from libs.contracts.subjects import Rpc
from services.gateway.engine import ask
from services.gateway.http import params
from services.gateway.http.voices import CALLER

T = TypeVar("T")
Part = Callable[[Slice], Awaitable[Page[T]]]

MOST = 1000


def slice_of(request: web.Request, *, offset: str = "skip", default: int = 100, most: int = MOST) -> Slice:
    """`?<offset>=&limit=`. Raises Fault INVALID; a limit over `most` is taken as `most`."""
    return Slice(
        offset=params.whole(request, offset, 0),
        limit=params.whole(request, "limit", default, least=1, most=most),
    )


def of(request: web.Request, rpc: Rpc[Any, Page[T]], **narrowed: Any) -> Part[T]:
    """The workspace's, of those that the fields of the question narrow them down to."""

    def part(slice: Slice) -> Awaitable[Page[T]]:
        return ask(request, rpc, rpc.request(request[CALLER].workspace_id, slice=slice, **narrowed))

    return part


async def every(request: web.Request, rpc: Rpc[Any, Page[T]], **narrowed: Any) -> list[T]:
    """The same, all of them, asked for page by page."""
    part, found = of(request, rpc, **narrowed), list[T]()
    offset, total = 0, 1
    while offset < total:
        page = await part(Slice(offset, MOST))
        found += page.items
        offset, total = offset + MOST, page.total
    return found
