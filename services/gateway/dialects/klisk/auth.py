"""Klisk's credentials: `Authorization: Bearer KEY`, and `?key=` for a WebSocket.

A key is one of a workspace's, or one that the environment gives to the default workspace for this voice alone.
"""

from aiohttp import web

from libs.contracts.faults import Code, Fault
from services.gateway.directory.callers import Caller
from services.gateway.engine import ENGINE

PREFIX = "/klisk"
_SCHEME = "bearer "


async def caller(request: web.Request) -> Caller:
    """Raises Fault UNAUTHORIZED."""
    return await _of(request, _bearer(request))


async def caller_of_socket(request: web.Request) -> Caller:
    """A browser can't set a socket's headers. Raises Fault UNAUTHORIZED."""
    return await _of(request, request.query.get("key", "").strip() or _bearer(request))


async def perhaps(request: web.Request) -> Caller | None:
    """Where no key is needed: whose key this is, if it is one."""
    try:
        return await caller(request)
    except Fault as fault:
        if fault.code is not Code.UNAUTHORIZED:
            raise
        return None


async def _of(request: web.Request, key: str) -> Caller:
    engine = request.app[ENGINE]
    found = await engine.guests.of(key) or (await engine.callers.of_key(key) if key else None)
    if found is None:
        raise Fault(Code.UNAUTHORIZED, "Invalid API key")
    return found


def _bearer(request: web.Request) -> str:
    """Empty without the header. Another scheme is not taken for no key."""
    given = request.headers.get("Authorization", "").strip()
    return given[len(_SCHEME) :].strip() if given.lower().startswith(_SCHEME) else given
