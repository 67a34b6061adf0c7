"""Voices: what a dialect brings to be mounted, under its prefix and at the root.

Every route answers with and without a trailing slash, without a redirect. No two voices may claim one root route.
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


@dataclass(frozen=True)
class Voice:
    """`routes` know their caller (`request[CALLER]`), `open_routes` carry their right in their address.

    `pages` are for browsers, under the prefix alone. `roots` begin the addresses at the root whose unknown ones are
    this voice's to answer; the longest one counts. `cors`: pages of every origin may ask it. `at_root`: where it is
    False, all of it is under the prefix alone.
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

    @property
    def mounts(self) -> Sequence[str]:
        return ("", self.prefix) if self.at_root else (self.prefix,)


def listed(*tables: web.RouteTableDef) -> list[web.RouteDef]:
    return [route for table in tables for route in table if isinstance(route, web.RouteDef)]


def mount(router: web.UrlDispatcher, voices: Sequence[Voice]) -> None:
    """Raises ValueError where two voices claim one root route."""
    _refuse_twins(voices)
    for voice in voices:
        for route in (*voice.routes, *voice.open_routes):
            _register(router, route, *voice.mounts)
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


def _refuse_twins(voices: Sequence[Voice]) -> None:
    claimed: dict[tuple[str, str], str] = {}
    for voice in (voice for voice in voices if voice.at_root):
        for claim in _claims(voice):
            if claim in claimed:
                raise ValueError(f"{claimed[claim]} and {voice.name} both claim {' '.join(claim)} at the root")
            claimed[claim] = voice.name


def _claims(voice: Voice) -> Iterator[tuple[str, str]]:
    for route in (*voice.routes, *voice.open_routes):
        yield route.method, _VARIABLE.sub("{}", route.path)
