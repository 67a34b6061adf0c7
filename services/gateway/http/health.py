"""Whether requests can be passed on from here; the private port says what is missing."""

from aiohttp import web

from services.gateway.engine import ENGINE
from services.gateway.http import reply


async def answer(request: web.Request) -> web.Response:
    connected = request.app[ENGINE].bus.connected
    return reply.json({"status": "ok" if connected else "unavailable"}, status=200 if connected else 503)
