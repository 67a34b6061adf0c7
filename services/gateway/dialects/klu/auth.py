"""Klu's credentials: `Authorization: Bearer KEY`, on everything but the addresses that are a right of their own.

Chat completions also take the token that `gateway_payload` gave, and nothing else does.
"""

from aiohttp import web

from libs.contracts.faults import Code, Fault
from services.gateway.dialects.klu import gateway
from services.gateway.directory.callers import Caller
from services.gateway.engine import ENGINE

PREFIX = "/klu"
COMPLETIONS = "/v1/chat/completions"


async def caller(request: web.Request) -> Caller:
    """Raises Fault UNAUTHORIZED."""
    right = await gateway.right(request)
    if right is None:
        return await request.app[ENGINE].callers.of(request)
    if not request.path.rstrip("/").endswith(COMPLETIONS):
        raise Fault(Code.UNAUTHORIZED, "This token is for chat completions alone: use an API key.")
    request[gateway.RIGHT] = right
    return right.caller
