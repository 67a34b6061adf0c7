"""A TCP proxy before a server, with the faults of a network: late, a byte at a time, silent, cut, reset, closed.

A fault holds for all its connections, those that are open and those to come, until `mend`. What is silent loses
nothing: it comes late.
"""

import asyncio
import socket
import struct
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit, urlunsplit

_CHUNK = 65536
# Of a large piece only the beginning goes byte by byte: all of it would take minutes.
_SINGLY = 5000
_AT_ONCE = struct.pack("ii", 1, 0)


class Proxy:
    """On a port of its own. `delay` is in seconds, for each piece either way."""

    def __init__(self, host: str, port: int) -> None:
        self.delay = 0.0
        self.bytewise = False
        self._host, self._port = host, port
        self._flows = asyncio.Event()
        self._flows.set()
        self._closed = False
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()
        self._pouring: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0)

    @property
    def port(self) -> int:
        assert self._server is not None
        return self._server.sockets[0].getsockname()[1]

    def before(self, url: str) -> str:
        """The URL with this proxy in place of its server."""
        parts = urlsplit(url)
        credentials = "".join(parts.netloc.rpartition("@")[:2])
        return urlunsplit(parts._replace(netloc=f"{credentials}127.0.0.1:{self.port}"))

    def silence(self) -> None:
        """Nothing comes through, and nobody is told."""
        self._flows.clear()

    def close(self) -> None:
        """Whoever connects is hung up on."""
        self._closed = True

    def cut(self) -> None:
        """Ends every connection in order, wherever in a message it is."""
        for writer in self._open:
            writer.close()

    def reset(self) -> None:
        """Ends every connection as a crashed machine's are."""
        for writer in self._open:
            connection = writer.get_extra_info("socket")
            with suppress(OSError):
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
            writer.transport.abort()

    def mend(self) -> None:
        self.delay, self.bytewise, self._closed = 0.0, False, False
        self._flows.set()

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._pouring:
            task.cancel()
        await asyncio.gather(*self._pouring, return_exceptions=True)
        self.reset()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._closed:
            writer.close()
            return
        try:
            there, back = await asyncio.open_connection(self._host, self._port)
        except OSError:
            writer.close()
            return
        self._open |= {writer, back}
        ways = [asyncio.create_task(self._pour(reader, back)), asyncio.create_task(self._pour(there, writer))]
        self._pouring.update(ways)
        try:
            await asyncio.wait(ways)
        finally:
            self._pouring.difference_update(ways)
            self._open -= {writer, back}

    async def _pour(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while some := await reader.read(_CHUNK):
                await self._pass_on(writer, some)
        writer.close()

    async def _pass_on(self, writer: asyncio.StreamWriter, some: bytes) -> None:
        await self._flows.wait()
        if self.delay:
            await asyncio.sleep(self.delay)
        singly = _SINGLY if self.bytewise else 0
        for piece in (*(some[place : place + 1] for place in range(min(singly, len(some)))), some[singly:]):
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0)


@asynccontextmanager
async def proxy(host: str, port: int) -> AsyncGenerator[Proxy]:
    made = Proxy(host, port)
    await made.start()
    try:
        yield made
    finally:
        await made.stop()
