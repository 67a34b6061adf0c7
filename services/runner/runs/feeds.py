"""Publishing the frames of running runs: what must go at once does, and text waits for one tick of the whole process.

Shared wake-ups are what makes many streams cheap: each tick flushes all runs together. The tick is armed only while
something waits.
"""

import asyncio
import logging

from libs.bus.bus import Bus
from libs.contracts import feed
from libs.contracts.faults import Fault
from services.runner.runs.fence import Fence
from services.runner.runs.live import Live

log = logging.getLogger(__name__)

TICK = 0.010


class Feeds:
    def __init__(self, bus: Bus, fence: Fence) -> None:
        self._bus, self._fence = bus, fence
        self._waiting: dict[Live, None] = {}
        self._sending: set[Live] = set()
        self._armed = asyncio.Event()

    async def move(self, live: Live) -> None:
        """Publish its new frames now, and what it has said since with the next tick."""
        if live.recording.unsent:
            await self.send(live)
        if live.recording.pending:
            if not self._waiting:
                self._armed.set()
            self._waiting[live] = None

    async def send(self, live: Live) -> None:
        """Publish what is not published yet, in order: while one sends, whoever comes leaves it the rest.

        Nothing while the run may be another's: it waits, and followers ask for what does not come.
        """
        recording = live.recording
        if live in self._sending:
            return
        self._sending.add(live)
        try:
            while recording.sent < len(recording.frames) and self._fence.open:
                recording.sent += 1
                await self._bus.publish(feed.FEED, live.id, recording.frames[recording.sent - 1])
        except Fault as fault:
            # Followers ask for what does not come.
            log.warning("A frame could not be published", extra={"run": str(live.id), "error": fault.message})
        finally:
            self._sending.discard(live)

    async def run(self) -> None:
        """Tick for ever."""
        while True:
            await self._armed.wait()
            await asyncio.sleep(TICK)
            self._armed.clear()
            waiting, self._waiting = self._waiting, {}
            for live in waiting:
                live.recording.flush()
                await self.send(live)
