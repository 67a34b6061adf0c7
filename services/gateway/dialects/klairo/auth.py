"""KlairoAI's credentials: `Authorization: Bearer` with any API key of ours, or with a token that a login gave."""

from aiohttp import web

from libs.contracts.faults import Code, Fault
from services.gateway.directory import checksum
from services.gateway.directory.callers import Caller, given
from services.gateway.directory.signing_in import tokens
from services.gateway.engine import ENGINE
from services.gateway.http.voices import CALLER


async def caller(request: web.Request) -> Caller:
    """Raises Fault UNAUTHORIZED."""
    engine, text = request.app[ENGINE], given(request)
    if not tokens.looks_like_one(text):
        return await engine.callers.of(request)
    found = await engine.callers.of_standing(engine.tokens.read(text))
    if found is None:
        raise tokens.refused()
    return found


def knows(request: web.Request) -> bool:
    """Whether a credential is this voice's own: one of its keys, or a token that a login gave."""
    scheme, _, text = request.headers.get("Authorization", "").partition(" ")
    own = text.strip().startswith(checksum.PREFIX) or tokens.looks_like_one(text.strip())
    return scheme.lower() == "bearer" and own


def must_be_logged_in(request: web.Request) -> Caller:
    """For what a key may not do: make others. Raises Fault FORBIDDEN."""
    caller = request[CALLER]
    if not caller.logged_in:
        raise Fault(Code.FORBIDDEN, "API keys are managed by who is logged in: send a token of POST /api/auth/login.")
    return caller
