"""WebSockets: one connection both ways, ended like a stream with its key and with this process.

Shared by every voice. Pings keep a quiet socket from being taken for dead, and find out one that is.
"""

import asyncio
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import WebSocketError, WSCloseCode, web

from libs.contracts.faults import Code, Fault
from services.gateway.http import sse
from services.gateway.http.body import MOST_BYTES

_PING_SECONDS = 20.0
_CLOSE_SECONDS = 1.0
_REFUSING_SECONDS = 5.0


class _Response(web.WebSocketResponse):
    """Who is still sending when the connection is closed gets a reset, and never reads why: it stays open a while."""

    @property
    def refuses_more(self) -> bool:
        error = self.exception()
        return isinstance(error, WebSocketError) and error.code == WSCloseCode.MESSAGE_TOO_BIG

    def _close_transport(self) -> None:
        if not self.refuses_more:
            super()._close_transport()


class Socket:
    """One WebSocket, answered by `task`. A message over the limit closes it with 1009."""

    # It is kept awake by its pings, and let go by them where the other end takes in nothing.
    written_at = math.inf
    blocked = False

    def __init__(self) -> None:
        self.response = _Response(
            heartbeat=_PING_SECONDS, max_msg_size=MOST_BYTES, timeout=_CLOSE_SECONDS, compress=False
        )
        self.key_hash = ""
        self.task = sse.this_task()

    async def write(self, text: str) -> None:
        """Where the other end has left, it is lost on nobody."""
        if not self.response.closed:
            await self.response.send_str(text)

    async def beat(self) -> None:
        pass

    def let_go(self) -> None:
        pass

    async def close(self, code: int) -> None:
        await self.response.close(code=code)


@asynccontextmanager
async def opened(request: web.Request) -> AsyncIterator[Socket]:
    """Closes it at the end where nobody has. Raises Fault MALFORMED where the request asks for no WebSocket."""
    socket = Socket()
    try:
        await socket.response.prepare(request)
    except web.HTTPBadRequest:
        raise Fault(Code.MALFORMED, "This address is a WebSocket's: ask for an upgrade to it.") from None
    try:
        yield socket
        if socket.response.refuses_more:
            # Until the other end has left, which ends this task.
            await asyncio.sleep(_REFUSING_SECONDS)
    finally:
        await socket.close(WSCloseCode.GOING_AWAY)
