"""Fan-outs: from the engine's facts to rows in the queue, for every endpoint that subscribed.

Owner: webhook_dispatcher. The first rows of an event, and what is left to be done of it, commit with the fact's id: a
fact heard twice is queued once, and one with thousands of endpoints holds up none behind it. The dispatcher is woken
when they have.
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress

from libs.postgres.database import Connection, Database
from services.webhook_dispatcher.payloads import Message
from services.webhook_dispatcher.store import fan_outs as store

# What is woken once rows are queued, and where a fan-out is to be gone on with.
QUEUED = "webhook_dispatcher.queued"
REMAINING = "webhook_dispatcher.remaining"

_POLL_SECONDS = 1.0


async def begin(connection: Connection, messages: Sequence[Message]) -> None:
    """Their fan-out, as far as it is done at once."""
    part = await store.begin(connection, messages)
    if part.queued:
        connection.wake_after(QUEUED)
    if part.remains:
        connection.wake_after(REMAINING)


class FanOuts:
    """What is left of large ones, gone on with in parts: workspaces take turns, and so may processes."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._woken = asyncio.Event()
        database.on_commit(REMAINING, self._woken.set)

    async def run(self) -> None:
        while True:
            self._woken.clear()
            while await self._go_on():
                pass
            with suppress(TimeoutError):
                await asyncio.wait_for(self._woken.wait(), _POLL_SECONDS)

    async def _go_on(self) -> bool:
        """Whether there may be more."""
        async with self._database.transaction() as connection:
            part = await store.go_on(connection)
            if part.queued:
                connection.wake_after(QUEUED)
        return part.remains
