"""A receiver that costs next to nothing: answers every request 200 as soon as it is whole, and notes when it came.

What comes to a path that begins with `/never` is not answered at all, and to `/drip` without an end.
"""

import asyncio
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
_LENGTH = re.compile(rb"content-length: (\d+)", re.IGNORECASE)
_NEVER, _DRIP = b"POST /never", b"POST /drip"
_BEGINNING, _DRIP_SECONDS = b"HTTP/1.1 200 OK\r\nContent-Length: 600\r\n\r\n", 0.5


class Sink:
    """`count` is how many came; `kept`, where it is a list, has their bodies with the moments when they came."""

    def __init__(self) -> None:
        self.url = ""
        self.count = 0
        self.kept: list[tuple[float, bytes]] | None = None

    def took(self, body: bytes) -> None:
        self.count += 1
        if self.kept is not None:
            self.kept.append((time.time(), body))

    async def wait(self, count: int, *, seconds: float) -> None:
        async with asyncio.timeout(seconds):
            while True:
                if self.count >= count:
                    return
                await asyncio.sleep(0.01)


class _Connection(asyncio.Protocol):
    def __init__(self, sink: Sink) -> None:
        self._sink, self._rest = sink, b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        rest = self._rest + data
        while (end := rest.find(b"\r\n\r\n") + 4) > 3:
            length = _LENGTH.search(rest, 0, end)
            whole = end + (int(length[1]) if length else 0)
            if len(rest) < whole:
                break
            self._answer(rest, rest[end:whole])
            rest = rest[whole:]
        self._rest = rest

    def _answer(self, request: bytes, body: bytes) -> None:
        if request.startswith(_DRIP):
            self._drip(_BEGINNING)
        elif not request.startswith(_NEVER):
            self._sink.took(body)
            self._transport.write(_ANSWER)

    def _drip(self, piece: bytes) -> None:
        if not self._transport.is_closing():
            self._transport.write(piece)
            asyncio.get_running_loop().call_later(_DRIP_SECONDS, self._drip, b".")


@asynccontextmanager
async def sink() -> AsyncIterator[Sink]:
    """On a free port of this machine."""
    self = Sink()
    server = await asyncio.get_running_loop().create_server(lambda: _Connection(self), "127.0.0.1", 0, backlog=2048)
    self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield self
    finally:
        server.close()
