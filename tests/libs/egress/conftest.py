"""Fixtures for the guarded client: a listener that counts who gets through, and a server that misbehaves on request."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest_asyncio
from aiohttp import web

from libs.egress import Egress


@dataclass
class Listener:
    port: int
    connections: int = 0


@pytest_asyncio.fixture(loop_scope="session", scope="module")
async def listener() -> AsyncIterator[Listener]:
    """Listens on every address of this machine, and counts connections."""
    heard = Listener(0)

    async def accepted(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.connections += 1
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nsecret")
        writer.close()

    server = await asyncio.start_server(accepted, "::", 0)
    port = server.sockets[0].getsockname()[1]
    heard.port = port
    both = await asyncio.start_server(accepted, "0.0.0.0", port)
    yield heard
    server.close()
    both.close()


@pytest_asyncio.fixture(loop_scope="session")
async def outside() -> AsyncIterator[Egress]:
    """A client without any allow-list."""
    egress = Egress("")
    yield egress
    await egress.close()


@pytest_asyncio.fixture(loop_scope="session")
async def local() -> AsyncIterator[Egress]:
    """A client whose operator allowed 127.0.0.1."""
    egress = Egress("127.0.0.1/32")
    yield egress
    await egress.close()


async def serve(application: web.Application) -> tuple[web.AppRunner, str]:
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    return runner, f"http://127.0.0.1:{runner.addresses[0][1]}"
