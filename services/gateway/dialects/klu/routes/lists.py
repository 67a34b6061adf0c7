"""Lists, as the API page and the SDKs each want them.

The rule: where no part of a list is asked for, it is the whole list, for the SDKs do not read on. A long one is sent
part by part, so that none is held in memory; one that changes meanwhile may tell an item twice.
"""

from collections.abc import AsyncIterator, Callable
from typing import Any, TypeVar

import msgspec
from aiohttp import web

from libs.contracts.paging import Page, Slice
from services.gateway.dialects.klu import translate
from services.gateway.engine import ENGINE
from services.gateway.http import paging, reply
from services.gateway.http.sse import Framing
from services.gateway.http.voices import CALLER

T = TypeVar("T")
R = TypeVar("R")

# Items of one answer: whoever has more asks for parts.
_MOST = 100_000
# Between two items of JSON a space says nothing.
_JSON = Framing("application/json; charset=utf-8", b" ")


class _Piece(msgspec.Struct, frozen=True):
    """Some of the list's JSON."""

    json: bytes

    def encoded(self) -> bytes:
        return self.json


def envelope(page: Page[T], slice: Slice, render: Callable[[T], R]) -> web.Response:
    return reply.json(translate.pages.reply(page, slice, render))


def wants_envelope(request: web.Request) -> bool:
    """The SDKs end a collection's address with a slash, and ask for pages; the API page does neither."""
    return request.path.endswith("/") or "limit" in request.query


async def bare(request: web.Request, part: paging.Part[T], render: Callable[[T], Any]) -> web.StreamResponse:
    """The whole list as an array, or the part of it that is asked for."""
    first = await part(_wanted(request))
    if _is_all(request, first):
        return reply.json([render(item) for item in first.items])
    return await _stream(request, _pages(first, part), render, (b"[", b"]"))


async def rows(request: web.Request, part: paging.Part[T], render: Callable[[T], Any]) -> web.StreamResponse:
    """The same in an envelope."""
    first = await part(_wanted(request))
    if _is_all(request, first):
        return envelope(first, _wanted(request), render)
    head = b'{"total_count":%d,"has_next_page":%b,"data":[' % (first.total, _word(first.total > _MOST))
    return await _stream(request, _pages(first, part), render, (head, b"]}"))


def _wanted(request: web.Request) -> Slice:
    return paging.slice_of(request, default=paging.MOST)


def _is_all(request: web.Request, first: Page[T]) -> bool:
    return bool(request.query.keys() & {"skip", "limit"}) or len(first.items) >= first.total


def _word(value: bool) -> bytes:
    return msgspec.json.encode(value)


async def _stream(
    request: web.Request, pages: AsyncIterator[Page[T]], render: Callable[[T], Any], ends: tuple[bytes, bytes]
) -> web.StreamResponse:
    async with request.app[ENGINE].streams.open(request, key_hash=request[CALLER].key_hash, framing=_JSON) as stream:
        before = ends[0]
        async for page in pages:
            items = msgspec.json.encode([render(item) for item in page.items])
            await stream.write(_Piece(before + items[1:-1]))
            before = b","
        await stream.write(_Piece(ends[1]))
    return stream.response


async def _pages(first: Page[T], part: paging.Part[T]) -> AsyncIterator[Page[T]]:
    """All that are not empty, up to the most that one answer holds."""
    yield first
    for offset in range(paging.MOST, min(first.total, _MOST), paging.MOST):
        page = await part(Slice(offset, paging.MOST))
        if not page.items:
            return
        yield page
