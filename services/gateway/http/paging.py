"""Paging: the slice of a list that a query asks for."""

from aiohttp import web

from libs.contracts.paging import Slice
from services.gateway.http import params

MOST = 1000


def slice_of(request: web.Request, *, offset: str = "skip", default: int = 100, most: int = MOST) -> Slice:
    """`?<offset>=&limit=`. Raises Fault INVALID; a limit over `most` is taken as `most`."""
    return Slice(
        offset=params.whole(request, offset, 0),
        limit=params.whole(request, "limit", default, least=1, most=most),
    )
