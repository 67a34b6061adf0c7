"""What runs in every service beside its own work: the outbox relay and the reading of changes, each woken by nudges."""

import asyncio

from libs.bus.bus import Bus
from libs.postgres.changes import Changes
from libs.postgres.database import Database
from libs.postgres.leases import Lease
from libs.postgres.outbox import Relay
from libs.runtime.work import Kept

_SWEEP_SECONDS = 1800.0


class Publishing:
    """The processes of one service share a relay by lease; those without it nudge the one that has it."""

    def __init__(self, bus: Bus, database: Database) -> None:
        self._bus = bus
        self._outbox, self._changed = f"{bus.owner}.outbox", f"{bus.owner}.changes"
        self._lease = Lease(database, "outbox", bus.instance)
        self._relay = Relay(database, self._lease, bus.state, nudge=lambda: bus.nudge(self._outbox), look=bus.look)
        self.changes = Changes(database, nudge=lambda: bus.nudge(self._changed))
        self._relaying, self._kept = Kept(), Kept()

    async def begin(self) -> None:
        await self._bus.on_nudge(self._outbox, self._relay.wake)
        await self._bus.on_nudge(self._changed, self.changes.wake)
        self._relaying.start("outbox relay", self._relay.run)
        self._kept.start("outbox lease", self._lease.run)
        self._kept.start("changes", self.changes.run)
        self._kept.start("sweep", self._sweep)

    async def end(self) -> None:
        """Publishes what is still there, or leaves it to another process at once."""
        await self._relaying.end()
        try:
            await self._relay.push()
        finally:
            await self._hand_over()

    async def _hand_over(self) -> None:
        try:
            await self._lease.release()
            await self._bus.nudge(self._outbox)
        finally:
            await self._kept.end()

    async def _sweep(self) -> None:
        """Delete the blobs of messages that nobody read; the process with the lease does."""
        while True:
            await asyncio.sleep(_SWEEP_SECONDS)
            if self._lease.held:
                await self._bus.sweep()
