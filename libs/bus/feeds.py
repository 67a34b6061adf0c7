"""Feeds of runs as one process hears them: each once, and decoded once, however many of its readers follow the run."""

import asyncio
from uuid import UUID

from libs.bus.bus import Bus
from libs.bus.reader import Reader
from libs.bus.subscription import Subscription
from libs.contracts import feed


class Feeds:
    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._feeds: dict[UUID, _Feed] = {}

    async def join(self, reader: Reader) -> None:
        """No flush: the question that follows on this connection comes to the server after it."""
        heard = self._feeds.setdefault(reader.run_id, _Feed(self._bus))
        heard.readers.append(reader)
        await heard.open(reader.run_id)

    async def leave(self, reader: Reader) -> None:
        """The last one takes the subscription along; who comes from now on makes another."""
        heard = self._feeds.get(reader.run_id)
        if heard is None or reader not in heard.readers:
            return
        heard.readers.remove(reader)
        if not heard.readers:
            del self._feeds[reader.run_id]
            await heard.drop()


class _Feed:
    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self.readers: list[Reader] = []
        self._subscription: Subscription | None = None
        self._turn = asyncio.Lock()
        self._arriving = bus.bodies.in_turn(self._tell, self._miss)

    async def open(self, run_id: UUID) -> None:
        async with self._turn:
            if self._subscription is None:
                subject = feed.FEED.of(run_id)
                self._subscription = await self._bus.connection.subscribe(subject, self._arriving.hear)

    async def drop(self) -> None:
        async with self._turn:
            subscription, self._subscription = self._subscription, None
            if subscription is not None:
                await subscription.drop()

    def _tell(self, body: bytes) -> None:
        frame = feed.FEED.unpack(body)
        for reader in self.readers:
            reader.heard(frame, len(body))

    def _miss(self) -> None:
        for reader in self.readers:
            reader.miss()
