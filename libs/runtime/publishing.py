"""What runs in every service beside its own work: the outbox relay and the reading of changes, each woken by nudges."""

from libs.bus.bus import Bus
from libs.postgres.changes import Changes
from libs.postgres.database import Database
from libs.postgres.leases import Lease
from libs.postgres.outbox import Relay
from libs.runtime.work import Kept


class Publishing:
    """The processes of one service share a relay by lease; those without it nudge the one that has it."""

    def __init__(self, bus: Bus, database: Database) -> None:
        self._bus = bus
        self._outbox, self._changed = f"{bus.owner}.outbox", f"{bus.owner}.changes"
        self._lease = Lease(database, "outbox", bus.instance)
        self._relay = Relay(database, self._lease, bus.state, nudge=lambda: bus.nudge(self._outbox))
        self.changes = Changes(database, nudge=lambda: bus.nudge(self._changed))
        self._relaying, self._kept = Kept(), Kept()

    async def begin(self) -> None:
        await self._bus.on_nudge(self._outbox, self._relay.wake)
        await self._bus.on_nudge(self._changed, self.changes.wake)
        self._relaying.start("outbox relay", self._relay.run)
        self._kept.start("outbox lease", self._lease.run)
        self._kept.start("changes", self.changes.run)

    async def end(self) -> None:
        """Publishes what is still there, or leaves it to another process at once."""
        await self._relaying.end()
        try:
            await self._relay.push()
            await self._lease.release()
            await self._bus.nudge(self._outbox)
        finally:
            await self._kept.end()
