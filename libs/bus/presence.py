"""Presence: what a Follower follows, said to the holders of runs, so that a run which nobody reads any more can end.

All of it once a second, in one message for all runs; what its last reader here left at once, and once more with the
next. Who follows nothing says nothing.
"""

import asyncio
import secrets
from collections.abc import Sequence
from uuid import UUID

from libs.bus.bus import Bus
from libs.bus.reader import Reader
from libs.contracts import followers

SECONDS = 1.0
_RUNS_A_MESSAGE = 2000


class Presence:
    """`name` is what holders know this follower by. `tell_all` and `tell_left` run as long as it follows."""

    def __init__(self, bus: Bus) -> None:
        self.name = f"{bus.instance}-{secrets.token_hex(2)}"
        self._bus = bus
        self._readers: dict[UUID, set[Reader]] = {}
        self._left: set[UUID] = set()
        # A holder that is still accepting the run does not hear the first time.
        self._left_again: set[UUID] = set()
        self._busy, self._leaving = asyncio.Event(), asyncio.Event()

    def join(self, reader: Reader) -> None:
        self._readers.setdefault(reader.run_id, set()).add(reader)
        self._left.discard(reader.run_id)
        self._left_again.discard(reader.run_id)
        self._busy.set()

    def leave(self, reader: Reader) -> None:
        """Nobody need be told of a run that has ended."""
        readers = self._readers.get(reader.run_id, set())
        readers.discard(reader)
        if readers or self._readers.pop(reader.run_id, None) is None or reader.order.ended:
            return
        self._left.add(reader.run_id)
        self._leaving.set()

    async def tell_all(self) -> None:
        while True:
            await self._busy.wait()
            await asyncio.sleep(SECONDS)
            left, self._left_again = self._left_again, set()
            await self._say(list(self._readers), list(left))
            if not self._readers and not self._left_again:
                self._busy.clear()

    async def tell_left(self) -> None:
        while True:
            await self._leaving.wait()
            self._leaving.clear()
            await self.say_left()

    async def say_left(self) -> None:
        left, self._left = self._left, set()
        self._left_again |= left
        await self._say([], list(left))

    async def _say(self, runs: Sequence[UUID], left: Sequence[UUID]) -> None:
        for start in range(0, max(len(runs), len(left)), _RUNS_A_MESSAGE):
            share = slice(start, start + _RUNS_A_MESSAGE)
            if self._bus.connected:
                said = followers.Followed(self.name, list(runs[share]), list(left[share]))
                await self._bus.publish(followers.FEED, self.name, said)
