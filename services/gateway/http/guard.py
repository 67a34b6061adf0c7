"""The guard around every route: a request id, the caller, an answer in the voice of the route, one line in the log.

A handler raises Faults and renders none. What fails otherwise is logged once and told without detail.
"""

import asyncio
import logging
import time
from collections.abc import Sequence

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware
from aiohttp.web_urldispatcher import SystemRoute

from libs.runtime import logs
from services.gateway.http import params, problems, reply, sse
from services.gateway.http.problems import Problem
from services.gateway.http.requests import REQUEST, REQUEST_ID, request_id
from services.gateway.http.voices import CALLER, Voice, by_handler, by_path

access = logging.getLogger("gateway.access")

_CLIENT_LEFT = 499


def guard(voices: Sequence[Voice]) -> Middleware:
    guarded = _Guard(voices)

    @web.middleware
    async def around(request: web.Request, handler: Handler) -> web.StreamResponse:
        return await guarded.answer(request, handler)

    return around


class _Guard:
    def __init__(self, voices: Sequence[Voice]) -> None:
        self._voices = voices
        self._handlers = by_handler(voices)

    async def answer(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        began = time.perf_counter()
        id = request[REQUEST] = request_id(request)
        with logs.bound(request_id=id):
            try:
                response = await self._answer_in_voice(request, handler)
            except asyncio.CancelledError:
                _write_line(request, _CLIENT_LEFT, began)
                raise
            if not response.prepared:
                response.headers[REQUEST_ID] = id
            _write_line(request, response.status, began)
            return response

    async def _answer_in_voice(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        voice, wants_caller = self._handlers.get(request.match_info.handler, (None, False))
        try:
            if voice is None or not wants_caller:
                return await handler(request)
            request[CALLER] = caller = await voice.authenticate(request)
            with logs.bound(workspace_id=caller.workspace_id):
                return await handler(request)
        except Exception as error:
            return self._tell(request, voice or by_path(self._voices, request.path), problems.of(error))

    def _tell(self, request: web.Request, voice: Voice | None, problem: Problem) -> web.StreamResponse:
        begun = request.get(sse.BEGUN)
        if begun is not None:
            return begun
        return voice.render(problem) if voice else _plainly(problem)


def _plainly(problem: Problem) -> web.Response:
    error = {"code": problem.code, "message": problem.message}
    return reply.json({"error": error}, status=problem.status, headers=problem.headers())


def _write_line(request: web.Request, status: int, began: float) -> None:
    if access.isEnabledFor(logging.INFO):
        milliseconds = round((time.perf_counter() - began) * 1000, 2)
        line = {"method": request.method, "route": _route(request), "status": status, "ms": milliseconds}
        access.info("request", extra=line)


def _route(request: web.Request) -> str:
    """The route, not the path: an address may be a capability."""
    route = request.match_info.route
    resource = route.resource
    if isinstance(route, SystemRoute) or resource is None:
        return params.shown(request.path)
    return resource.canonical
