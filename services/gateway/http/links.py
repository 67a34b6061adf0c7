"""Links: the absolute addresses that a client is told.

They begin as the client's own request did, or with PUBLIC_URL where the installation sets it.
"""

import functools

from aiohttp import web

from libs.contracts.faults import Code, Fault
from services.gateway.engine import ENGINE

_NOT_IN_A_HOST = frozenset(" /\\?#@\"'<>")


def base(request: web.Request, prefix: str) -> str:
    """`https://host`, and the voice's prefix where the request came in under it. Raises Fault MALFORMED."""
    start = request.app[ENGINE].public_url or f"{request.scheme}://{_host(request)}"
    return start + prefix if request.path.startswith(f"{prefix}/") else start


def _host(request: web.Request) -> str:
    host = request.host
    if not _is_host(host):
        raise Fault(Code.MALFORMED, "This is no host name.", field="Host")
    return host


@functools.lru_cache(1000)
def _is_host(text: str) -> bool:
    return text.isascii() and text.isprintable() and _NOT_IN_A_HOST.isdisjoint(text)
