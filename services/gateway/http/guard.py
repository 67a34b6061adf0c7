"""The guard around every route: a request id, the caller, an answer in the voice of the route, one line in the log.

A handler raises Faults and renders none. What fails otherwise is logged once and told without detail.
"""

import asyncio
import time
from collections.abc import Sequence

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware
from aiohttp.web_urldispatcher import SystemRoute

from libs.contracts.faults import Code, Fault
from libs.runtime import logs
from services.gateway.directory.callers import Caller
from services.gateway.engine import ENGINE
from services.gateway.http import idempotency, limiting, metrics, params, problems, sse
from services.gateway.http.access import AccessLog
from services.gateway.http.problems import Problem
from services.gateway.http.requests import REQUEST, REQUEST_ID, request_id
from services.gateway.http.voices import CALLER, Voice, by_handler, by_path, handler_of

_CLIENT_LEFT = 499
_ALWAYS_ANSWERED = "/health"


def guard(voices: Sequence[Voice], access: AccessLog) -> Middleware:
    guarded = _Guard(voices, access)

    @web.middleware
    async def around(request: web.Request, handler: Handler) -> web.StreamResponse:
        # Not `handler`: at an address that voices share, the credential tells whose it is.
        return await guarded.answer(request)

    return around


class _Guard:
    def __init__(self, voices: Sequence[Voice], access: AccessLog) -> None:
        self._voices, self._access = voices, access
        self._handlers = by_handler(voices)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        began = time.perf_counter()
        id = request[REQUEST] = request_id(request)
        _log_as(id)
        try:
            response = await self._answer_in_voice(request)
        except asyncio.CancelledError:
            self._note(request, _CLIENT_LEFT, began)
            raise
        if not response.prepared:
            response.headers[REQUEST_ID] = id
        self._note(request, response.status, began)
        return response

    async def _answer_in_voice(self, request: web.Request) -> web.StreamResponse:
        handler = handler_of(request)
        voice, wants_caller = self._handlers.get(handler, (None, False))
        try:
            if request.path == _ALWAYS_ANSWERED:
                return await handler(request)
            if voice is None:
                request.app[ENGINE].proxies.admit(request)
                limiting.admit_stranger(request)
                return await handler(request)
            return await self._answer(request, voice, wants_caller, handler)
        except Exception as error:
            return self._tell(request, voice or by_path(self._voices, request.path), problems.of(error))

    async def _answer(
        self, request: web.Request, voice: Voice, wants_caller: bool, handler: Handler
    ) -> web.StreamResponse:
        engine = request.app[ENGINE]
        engine.room.enter()
        try:
            engine.proxies.admit(request)
            if not wants_caller:
                return await handler(request)
            request[CALLER] = caller = await _authenticated(request, voice)
            logs.workspace_id.set(str(caller.workspace_id))
            await limiting.admit(request, caller)
            if idempotency.is_given(request):
                return await self._once(request, voice, handler)
            return await handler(request)
        finally:
            engine.room.leave(request)

    async def _once(self, request: web.Request, voice: Voice, handler: Handler) -> web.StreamResponse:
        async def answering() -> web.StreamResponse:
            try:
                return await handler(request)
            except Exception as error:
                problem = problems.of(error)
                response = self._tell(request, voice, problem)
                response[idempotency.PASSES] = problem.passes
                return response

        return await idempotency.once(request, request[CALLER].workspace_id, answering)

    def _tell(self, request: web.Request, voice: Voice | None, problem: Problem) -> web.StreamResponse:
        begun = request.get(sse.BEGUN)
        if begun is not None:
            return begun
        return voice.render(problem) if voice else problems.plainly(problem)

    def _note(self, request: web.Request, status: int, began: float) -> None:
        seconds, route = time.perf_counter() - began, _route(request)
        metrics.answered(request.method, route, status, seconds)
        if not self._access.on:
            return
        caller = request.get(CALLER)
        self._access.note(
            request_id=request[REQUEST],
            workspace_id=caller.workspace_id if caller else None,
            method=request.method,
            route=route or params.shown(request.path),
            status=status,
            ms=round(seconds * 1000, 2),
        )


async def _authenticated(request: web.Request, voice: Voice) -> Caller:
    """A request whose credential is none is a stranger's."""
    try:
        return await voice.authenticate(request)
    except Fault as fault:
        if fault.code is Code.UNAUTHORIZED:
            limiting.admit_stranger(request)
        raise


def _log_as(id: str) -> None:
    """The requests of a connection share one context: each begins it anew."""
    logs.request_id.set(id)
    logs.workspace_id.set("")
    logs.run_id.set("")


def _route(request: web.Request) -> str:
    """The route's pattern, empty for an address that is none. A path would tell capabilities."""
    route = request.match_info.route
    resource = route.resource
    return "" if isinstance(route, SystemRoute) or resource is None else resource.canonical
