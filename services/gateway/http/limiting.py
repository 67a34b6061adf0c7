"""Limiting: a request is counted as its caller's, or as its address's where it has none, and is told how that stands.

Shared by every voice: what is over a limit is a Fault RATE_LIMITED, and `X-RateLimit-*` are on every answer.
"""

import math
import time
from uuid import UUID

from aiohttp import web
from multidict import istr

from libs.contracts.faults import Code, Fault
from services.gateway.directory.callers import Caller
from services.gateway.engine import ENGINE
from services.gateway.limits.limits import refused
from services.gateway.limits.permits import Standing

LIMIT, REMAINING, RESET = istr("X-RateLimit-Limit"), istr("X-RateLimit-Remaining"), istr("X-RateLimit-Reset")

_STANDING = web.RequestKey("standing", Standing)
_MESSAGE = web.RequestKey("message", bool)


async def admit(request: web.Request, caller: Caller) -> None:
    """Raises Fault RATE_LIMITED, UNAVAILABLE."""
    engine = request.app[ENGINE]
    standing = request[_STANDING] = await engine.limits.request(caller)
    if not standing.admitted:
        raise refused(standing)
    engine.calls.note(caller)


async def admit_message(request: web.Request, workspace_id: UUID) -> None:
    """Before a run that a client wants is started. Raises Fault RATE_LIMITED, UNAVAILABLE."""
    if not request.pop(_MESSAGE, False):
        await _count_message(request, workspace_id)


async def expect_message(request: web.Request, workspace_id: UUID) -> None:
    """Where the answer begins before its run is started: counted now, and not again then. Raises as `admit_message`."""
    await _count_message(request, workspace_id)
    request[_MESSAGE] = True


async def _count_message(request: web.Request, workspace_id: UUID) -> None:
    standing = await request.app[ENGINE].limits.message(workspace_id)
    if standing is not None and not standing.admitted:
        request[_STANDING] = standing
        raise refused(standing)


def admit_stranger(request: web.Request) -> None:
    """For what is at no address of a voice, or brings no credential that holds. Raises Fault RATE_LIMITED."""
    engine = request.app[ENGINE]
    standing = request[_STANDING] = engine.addresses.take(engine.proxies.client(request))
    if not standing.admitted:
        wait = max(1, math.ceil(standing.ends - time.time()))
        message = f"Requests without a key are {standing.limit} a minute from one address: try again later."
        raise Fault(Code.RATE_LIMITED, message, retry_after=wait)


async def mark(request: web.Request, response: web.StreamResponse) -> None:
    """An answer to what was not counted shows its address's window as well."""
    standing = request.get(_STANDING)
    if standing is None:
        engine = request.app[ENGINE]
        standing = engine.addresses.look(engine.proxies.client(request))
    headers = response.headers
    headers[LIMIT] = str(standing.limit)
    headers[REMAINING] = str(standing.remaining)
    headers[RESET] = str(standing.ends)
