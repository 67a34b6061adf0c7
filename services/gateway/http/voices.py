"""Voices: what a dialect brings to be mounted, under its prefix and at the root.

Every route answers with and without a trailing slash, without a redirect. Two voices share a root route only where one
of them knows its own requests by their credential.
"""

import re
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from operator import itemgetter

from aiohttp import web
from aiohttp.typedefs import Handler

from services.gateway.directory.callers import Caller
from services.gateway.http.problems import Problem

CALLER = web.RequestKey("caller", Caller)

_VARIABLE = re.compile(r"{[^{}]+}")
# On a handler of several voices: whose handler answers a request.
_CHOOSE = "choose"


@dataclass(frozen=True)
class Voice:
    """`routes` know their caller (`request[CALLER]`), `open_routes` carry their right in their address.

    `pages` are for browsers, under the prefix alone. `roots` begin the addresses at the root whose unknown ones are
    this voice's to answer; the longest one counts. `cors`: pages of every origin may ask it. `at_root`: where it is
    False, all of it is under the prefix alone. `knows`: whether a request to an address that it shares with another
    voice is its own.
    """

    name: str
    prefix: str
    roots: Sequence[str]
    authenticate: Callable[[web.Request], Awaitable[Caller]]
    render: Callable[[Problem], web.Response]
    routes: Sequence[web.RouteDef]
    open_routes: Sequence[web.RouteDef] = field(default=())
    pages: Sequence[web.RouteDef] = field(default=())
    cors: bool = False
    at_root: bool = True
    knows: Callable[[web.Request], bool] | None = None

    @property
    def mounts(self) -> Sequence[str]:
        return ("", self.prefix) if self.at_root else (self.prefix,)


def listed(*tables: web.RouteTableDef) -> list[web.RouteDef]:
    return [route for table in tables for route in table if isinstance(route, web.RouteDef)]


def mount(router: web.UrlDispatcher, voices: Sequence[Voice]) -> None:
    """Raises ValueError where two voices claim one root route."""
    for route in _at_root(voices):
        _register(router, route, "")
    for voice in voices:
        for route in (*voice.routes, *voice.open_routes):
            _register(router, route, voice.prefix)
        for page in voice.pages:
            _register(router, page, voice.prefix)


def _register(router: web.UrlDispatcher, route: web.RouteDef, *prefixes: str) -> None:
    for prefix in prefixes:
        path = (prefix + route.path).rstrip("/")
        for slash in ("", "/"):
            web.RouteDef(route.method, path + slash, route.handler, route.kwargs).register(router)


def paths(voice: Voice) -> set[str]:
    """Where a voice answers, at the root and under its prefix, without a slash at the end."""
    everywhere = {route.path for route in (*voice.routes, *voice.open_routes)}
    own = {route.path for route in voice.pages}
    return {(start + path).rstrip("/") for start in voice.mounts for path in everywhere} | {
        (voice.prefix + path).rstrip("/") for path in own
    }


def by_handler(voices: Sequence[Voice]) -> dict[Handler, tuple[Voice, bool]]:
    """Whose a handler is, and whether it wants to know its caller."""
    known = {route.handler: (voice, True) for voice in voices for route in voice.routes}
    unasked = {route.handler: (voice, False) for voice in voices for route in (*voice.open_routes, *voice.pages)}
    return known | unasked


def by_path(voices: Sequence[Voice], path: str) -> Voice | None:
    """Whose words an unknown address is answered in."""
    for voice in voices:
        if _begins(path, voice.prefix):
            return voice
    found = [(len(root), voice) for voice in voices for root in voice.roots if _begins(path, root)]
    return max(found, key=itemgetter(0))[1] if found else None


def _begins(path: str, start: str) -> bool:
    return path == start or path.startswith(f"{start}/")


def handler_of(request: web.Request) -> Handler:
    """Who answers it: at an address that voices share, the one whose credential it carries."""
    handler = request.match_info.handler
    choose: Callable[[web.Request], Handler] | None = getattr(handler, _CHOOSE, None)
    return choose(request) if choose else handler


def _at_root(voices: Sequence[Voice]) -> Iterator[web.RouteDef]:
    """Each address once, in the voices' order. Raises ValueError where two claim one, and neither knows its own."""
    claims: dict[tuple[str, str], list[tuple[Voice, web.RouteDef]]] = {}
    for voice in (voice for voice in voices if voice.at_root):
        for route in (*voice.routes, *voice.open_routes):
            claims.setdefault((route.method, _VARIABLE.sub("{}", route.path)), []).append((voice, route))
    for claim, claimed in claims.items():
        if len(claimed) == 1:
            yield claimed[0][1]
        else:
            yield _shared(claim, claimed)


def _shared(claim: tuple[str, str], claimed: Sequence[tuple[Voice, web.RouteDef]]) -> web.RouteDef:
    knowing = [(voice.knows, route.handler) for voice, route in claimed if voice.knows]
    others = [route for voice, route in claimed if not voice.knows]
    if len(others) > 1 or len(knowing) > 1:
        names = " and ".join(voice.name for voice, _ in claimed)
        raise ValueError(f"{names} both claim {' '.join(claim)} at the root")
    (knows, own), (other,) = knowing[0], others

    def choose(request: web.Request) -> Handler:
        return own if knows(request) else other.handler

    async def shared(request: web.Request) -> web.StreamResponse:
        return await choose(request)(request)

    setattr(shared, _CHOOSE, choose)
    return web.RouteDef(other.method, other.path, shared, other.kwargs)
