"""Lists, as the API page and the SDKs each want them."""

from collections.abc import Callable
from typing import TypeVar

from aiohttp import web

from libs.contracts.paging import Page, Slice
from services.gateway.dialects.klu import translate
from services.gateway.http import paging, reply

T = TypeVar("T")
R = TypeVar("R")


def envelope(page: Page[T], slice: Slice, render: Callable[[T], R]) -> web.Response:
    return reply.json(translate.pages.reply(page, slice, render))


def wants_envelope(request: web.Request) -> bool:
    """The SDKs end a collection's address with a slash, and ask for pages; the API page does neither."""
    return request.path.endswith("/") or "limit" in request.query


def whole(request: web.Request) -> Slice:
    """A list without an envelope is the whole list, unless a part of it is asked for."""
    return paging.slice_of(request, default=paging.MOST)
