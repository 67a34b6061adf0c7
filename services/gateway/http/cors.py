"""CORS: what lets a page of another origin ask a voice.

No cookie is a credential here, so letting a page read an answer gives it nothing that its own key does not.
"""

from collections.abc import Sequence

from aiohttp import hdrs, web

from services.gateway.http import limiting
from services.gateway.http.requests import REQUEST_ID, RUN_ID
from services.gateway.http.voices import Voice, by_handler, by_path, handler_of, paths

_METHODS = "GET, POST, DELETE, OPTIONS"
_EXPOSED = ", ".join((REQUEST_ID, RUN_ID, "Retry-After", limiting.LIMIT, limiting.REMAINING, limiting.RESET))
_REMEMBERED_SECONDS = "600"


def allow(app: web.Application, voices: Sequence[Voice]) -> None:
    """Answers the preflights of those voices that let other origins ask them, and marks their answers."""
    for path in {path for voice in voices if voice.cors for path in paths(voice)}:
        for slash in ("", "/"):
            app.router.add_route(hdrs.METH_OPTIONS, path + slash, _preflight)
    handlers = by_handler(voices)

    async def mark(request: web.Request, response: web.StreamResponse) -> None:
        origin = request.headers.get(hdrs.ORIGIN)
        if origin is None:
            return
        handler = handler_of(request)
        voice = handlers[handler][0] if handler in handlers else by_path(voices, request.path)
        if handler is _preflight or (voice is not None and voice.cors):
            response.headers[hdrs.ACCESS_CONTROL_ALLOW_ORIGIN] = origin
            response.headers[hdrs.ACCESS_CONTROL_ALLOW_CREDENTIALS] = "true"
            response.headers[hdrs.ACCESS_CONTROL_EXPOSE_HEADERS] = _EXPOSED
            response.headers.add(hdrs.VARY, hdrs.ORIGIN)

    app.on_response_prepare.append(mark)


async def _preflight(request: web.Request) -> web.Response:
    headers = {
        hdrs.ACCESS_CONTROL_ALLOW_METHODS: _METHODS,
        hdrs.ACCESS_CONTROL_ALLOW_HEADERS: request.headers.get(hdrs.ACCESS_CONTROL_REQUEST_HEADERS, "*"),
        hdrs.ACCESS_CONTROL_MAX_AGE: _REMEMBERED_SECONDS,
    }
    return web.Response(headers=headers)
