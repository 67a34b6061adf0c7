"""A gate before a server: a port that forwards while it is open; shut, it refuses, and cuts what was there."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit, urlunsplit

from tests.support.servers import free_port


class Gate:
    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._host, self._port = parts.hostname or "127.0.0.1", parts.port or 0
        self._listening = free_port()
        credentials = parts.netloc.rpartition("@")[:2]
        self.url = urlunsplit(parts._replace(netloc="".join(credentials) + f"127.0.0.1:{self._listening}"))
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()

    async def open(self) -> None:
        self._server = await asyncio.start_server(self._forward, "127.0.0.1", self._listening)

    async def shut(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        for writer in self._writers:
            writer.transport.abort()

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there, back = await asyncio.open_connection(self._host, self._port)
        except OSError:
            writer.close()
            return
        self._writers |= {writer, back}
        await asyncio.gather(_pour(reader, back), _pour(there, writer))
        self._writers -= {writer, back}


async def _pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while some := await reader.read(65536):
            writer.write(some)
            await writer.drain()
    except OSError:
        pass
    finally:
        writer.close()


@asynccontextmanager
async def gate(url: str, *, open: bool = True) -> AsyncGenerator[Gate]:
    made = Gate(url)
    if open:
        await made.open()
    try:
        yield made
    finally:
        await made.shut()
