"""The proxy does to a connection what it says, and mends it."""

import asyncio
import time
from collections.abc import AsyncGenerator

import pytest
import pytest_asyncio

from tests.support.proxy import Proxy, proxy

pytestmark = pytest.mark.asyncio

Ends = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@pytest_asyncio.fixture
async def way() -> AsyncGenerator[Proxy]:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while some := await reader.read(100):
                writer.write(some)
        except ConnectionError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    async with proxy("127.0.0.1", server.sockets[0].getsockname()[1]) as way:
        yield way
    server.close()


async def connected(way: Proxy) -> Ends:
    return await asyncio.open_connection("127.0.0.1", way.port)


async def echoed(ends: Ends, text: bytes) -> bytes:
    reader, writer = ends
    writer.write(text)
    async with asyncio.timeout(60):
        return await reader.readexactly(len(text))


async def test_it_stands_in_a_servers_url(way: Proxy) -> None:
    assert way.before("postgresql://me:secret@db:5432/x?a=b") == f"postgresql://me:secret@127.0.0.1:{way.port}/x?a=b"


async def test_what_is_late_or_comes_byte_by_byte_is_whole(way: Proxy) -> None:
    ends = await connected(way)
    way.delay = 0.05
    began = time.monotonic()
    assert await echoed(ends, b"late") == b"late"
    assert time.monotonic() - began >= 0.1
    way.delay, way.bytewise = 0.0, True
    assert await echoed(ends, b"x" * 1000) == b"x" * 1000


async def test_what_was_silent_is_there_after_it_is_mended(way: Proxy) -> None:
    ends = await connected(way)
    way.silence()
    answer = asyncio.create_task(echoed(ends, b"quiet"))
    await asyncio.sleep(0.1)
    assert not answer.done()
    way.mend()
    assert await answer == b"quiet"


async def test_a_cut_connection_ends_and_a_reset_one_fails(way: Proxy) -> None:
    cut = await connected(way)
    assert await echoed(cut, b"before") == b"before"
    way.cut()
    assert await cut[0].read() == b""
    reset = await connected(way)
    assert await echoed(reset, b"before") == b"before"
    way.reset()
    with pytest.raises(ConnectionResetError):
        await reset[0].read()


async def test_one_that_is_closed_takes_nobody_until_it_is_mended(way: Proxy) -> None:
    way.close()
    refused = await connected(way)
    assert await refused[0].read() == b""
    way.mend()
    assert await echoed(await connected(way), b"again") == b"again"
