"""Slices: the part of a list that a query asks for, as KlairoAI counts it."""

from aiohttp import web

from libs.contracts.paging import Slice
from services.gateway.http import paging


def asked(request: web.Request) -> Slice:
    """Raises Fault INVALID."""
    return paging.slice_of(request, offset="offset", default=20, most=100)
