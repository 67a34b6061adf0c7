"""Open streams, and what ends them: the key that they hang on."""

import asyncio
from contextlib import ExitStack

import pytest

from libs.contracts.faults import Code, Fault
from libs.runtime.work import keep_up
from services.gateway.http.sse import Streams

pytestmark = pytest.mark.asyncio


class Connection:
    """One that goes on until it is broken off."""

    written_at, blocked = 0.0, False

    def __init__(self, key_hash: str) -> None:
        self.key_hash = key_hash
        self.task: asyncio.Task[object] = asyncio.create_task(asyncio.Event().wait())

    async def beat(self) -> None:
        pass

    def let_go(self) -> None:
        pass


async def test_a_stream_that_begins_when_its_key_was_just_revoked_ends_too():
    streams = Streams(stalled_seconds=30)
    asked = asyncio.Event()

    async def valid(_: str) -> bool:
        asked.set()
        return False

    sifting = asyncio.create_task(streams.sift(valid))
    streams.doubt("one")
    await asked.wait()
    late = Connection("one")
    with streams.holding(late):
        await asyncio.wait([late.task], timeout=5)
    assert late.task.cancelled()
    sifting.cancel()


async def test_a_revoked_key_ends_its_streams_though_the_database_was_away_when_it_was_asked():
    streams, revoked = Streams(stalled_seconds=30), {"one", "two", "three"}
    away = iter([True])

    async def valid(key_hash: str) -> bool:
        if next(away, False):
            raise Fault(Code.UNAVAILABLE, "The database is away.")
        return key_hash not in revoked

    connections = [Connection(key_hash) for key_hash in (*revoked, "kept")]
    with ExitStack() as held:
        for connection in connections:
            held.enter_context(streams.holding(connection))
            streams.doubt(connection.key_hash)
        sifting = asyncio.create_task(keep_up("sifting", lambda: streams.sift(valid)))
        *ended, kept = [connection.task for connection in connections]
        async with asyncio.timeout(5):
            await asyncio.wait(ended)
        assert all(task.cancelled() for task in ended)
        assert not kept.done()
    for task in (sifting, kept):
        task.cancel()
