"""Idempotency keys: a POST with an `Idempotency-Key` has one effect and one answer, however often it is made.

Shared by every voice. What would be a 5xx or 429 is no answer: who asks again has it done again. What comes without a
key costs nothing.
"""

import asyncio
import hashlib
import re
from collections.abc import Awaitable, Callable
from uuid import UUID

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler
from multidict import istr

from libs.contracts.faults import Code, Fault
from services.gateway.effects.keeper import HEADER, Answer, Effect, other_request
from services.gateway.engine import ENGINE
from services.gateway.http import body, sse
from services.gateway.http.aside import aside
from services.gateway.http.effect import EFFECT, REPLAYED

Answering = Callable[[], Awaitable[web.StreamResponse]]
Taking = Callable[[], Awaitable[bytes]]

PASSES = web.ResponseKey("passes", bool)

_HEADER = istr(HEADER)
_NEVER = "never_kept"
_KEY = re.compile(r"[!-~]{1,255}")
_OF_THE_CONNECTION = frozenset({"content-length", "date", "connection", "transfer-encoding", "x-request-id"})


def never(handler: Handler) -> Handler:
    """Marks a route whose answer is a credential, which is kept nowhere: it does as it is told each time."""
    setattr(handler, _NEVER, True)
    return handler


def is_given(request: web.Request) -> bool:
    if request.method != hdrs.METH_POST or _HEADER not in request.headers:
        return False
    return not getattr(request.match_info.handler, _NEVER, False)


async def once(request: web.Request, scope: UUID, answering: Answering) -> web.StreamResponse:
    """The answer of `answering`, which raises nothing, or the one that it gave before.

    Raises Fault as `body.read` and `Effects.begin` do.
    """
    key, asked, effects = _key(request), await _digest(request), request.app[ENGINE].effects
    work = effects.own(_once(request, effects.begin(scope, key, asked), answering))
    try:
        return await asyncio.shield(work)
    except asyncio.CancelledError:
        if sse.BEGUN in request:
            # It lost its reader, and goes on elsewhere.
            work.cancel()
        raise


async def _once(request: web.Request, begun: Awaitable[Effect], answering: Answering) -> web.StreamResponse:
    effect = request[EFFECT] = await begun
    if effect.answer is not None:
        return await answering() if effect.answer.streams else _again(effect.answer)
    try:
        response = await answering()
        if effect.answer is None:
            await (effect.keep(_kept(response)) if _is_final(response) else effect.release())
    except BaseException:
        await effect.release()
        raise
    return response


async def once_read(
    request: web.Request, scope: UUID, *, take: Taking, skim: Taking, done: web.Response
) -> web.Response:
    """For a body that is too large to be held: `take` takes it in, `skim` only reads it, both tell its digest.

    Raises their Faults, and as `Effects.begin` does.
    """
    effects = request.app[ENGINE].effects
    effect = await effects.begin(scope, _key(request), None)
    if effect.answer is not None:
        if await skim() != effect.request:
            raise other_request()
        return _again(effect.answer)
    await bring_about(request, effect, take, done)
    return done


async def bring_about(request: web.Request, effect: Effect, take: Taking, done: web.Response) -> bytes:
    """The digest that `take` told, kept with the answer. Raises its Faults: then the effect is anyone's again."""
    try:
        digest = await take()
    except BaseException:
        # Also where the client has left.
        await asyncio.shield(request.app[ENGINE].effects.own(effect.release()))
        raise
    await effect.keep(_kept(done), digest)
    return digest


def _key(request: web.Request) -> str:
    given = request.headers.getall(_HEADER)
    if len(given) != 1 or not _KEY.fullmatch(given[0]):
        raise Fault(Code.INVALID, f"Expected one {HEADER} of 1 to 255 visible ASCII characters.", field=HEADER)
    return given[0]


async def _digest(request: web.Request) -> bytes:
    head = f"{request.method} {request.path_qs}\n".encode("utf-8", "surrogateescape")
    raw = await body.whole(request)
    return await aside(len(raw), lambda: hashlib.sha256(head + raw).digest())


def _is_final(response: web.StreamResponse) -> bool:
    """A voice may tell what passes with any status."""
    return not response.get(PASSES, False)


def _kept(response: web.StreamResponse) -> Answer:
    content = response.body if isinstance(response, web.Response) else None
    assert content is None or isinstance(content, bytes | bytearray)
    headers = [(str(name), value) for name, value in response.headers.items() if name.lower() not in _OF_THE_CONNECTION]
    return Answer(response.status, headers, bytes(content or b""))


def _again(answer: Answer) -> web.Response:
    headers = [*answer.headers, *REPLAYED.items()]
    return web.Response(status=answer.status, headers=headers, body=answer.body or None)
