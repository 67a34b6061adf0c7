"""Room: how many requests this process has in hand, and how many bytes of their bodies or a socket's messages it holds.

The rule: what there is no room for is refused at once, before its body is read, and never kept waiting.
"""

from aiohttp import web

from libs.contracts.faults import Code, Fault
from services.gateway.http import metrics

_HELD = web.RequestKey("held", int)


class Room:
    def __init__(self, *, requests: int, body_bytes: int) -> None:
        self._requests, self._body_bytes = requests, body_bytes
        self._in_hand = self._held = 0
        metrics.REQUESTS.set_function(lambda: self._in_hand)
        metrics.BODY_BYTES.set_function(lambda: self._held)

    def enter(self) -> None:
        """Raises Fault UNAVAILABLE where too many requests are in hand. To be followed by `leave`."""
        if self._in_hand >= self._requests:
            raise _full("requests", "Too many requests are being answered")
        self._in_hand += 1

    def leave(self, request: web.Request) -> None:
        self._in_hand -= 1
        self._held -= request.get(_HELD, 0)

    def hold(self, request: web.Request, size: int) -> None:
        """So many more bytes of a request's body. Raises Fault UNAVAILABLE where too many are held."""
        if size and self._held and self._held + size > self._body_bytes:
            raise _full("bytes", "Too many large requests are being answered")
        self._held += size
        request[_HELD] = request.get(_HELD, 0) + size

    def let_go(self, request: web.Request, size: int) -> None:
        """So many bytes fewer, of a request that goes on."""
        self._held -= size
        request[_HELD] -= size


def _full(what: str, why: str) -> Fault:
    metrics.REFUSED.labels(what).inc()
    return Fault(Code.UNAVAILABLE, f"{why}: try again.", retry_after=1)
