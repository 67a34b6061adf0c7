"""Klu's credentials: `Authorization: Bearer KEY`, on everything but the addresses that are a right of their own."""

from aiohttp import web

from services.gateway.directory.callers import Caller
from services.gateway.engine import ENGINE

PREFIX = "/klu"


async def caller(request: web.Request) -> Caller:
    """Raises Fault UNAUTHORIZED."""
    return await request.app[ENGINE].callers.of(request)
