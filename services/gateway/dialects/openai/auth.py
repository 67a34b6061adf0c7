"""OpenAI's credentials: `Authorization: Bearer KEY`, where the key is one of a workspace's."""

from aiohttp import web

from services.gateway.directory.callers import Caller
from services.gateway.engine import ENGINE


async def caller(request: web.Request) -> Caller:
    """Raises Fault UNAUTHORIZED."""
    return await request.app[ENGINE].callers.of(request)
