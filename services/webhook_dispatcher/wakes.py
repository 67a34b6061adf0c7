"""Wakes: the dispatchers of other processes told, through the bus, that something was queued here.

Owner: webhook_dispatcher. A wake may be lost: each dispatcher also looks for itself.
"""

import asyncio

from libs.bus.bus import Bus


class Wakes:
    def __init__(self, bus: Bus, topic: str) -> None:
        self._bus, self._topic = bus, topic
        self._asked = asyncio.Event()

    def wake(self) -> None:
        self._asked.set()

    async def run(self) -> None:
        while True:
            await self._asked.wait()
            self._asked.clear()
            await self._bus.nudge(self._topic)
