"""The fence around this process's runs: whether they still are its own, as far as it can know.

The rule: once the instance's lease was not held for a moment, others may have taken its runs. Until it has looked, this
process says nothing of any of them; those that were taken it drops.
"""

import asyncio
import logging

from libs.contracts.faults import Code, Failure, Fault
from libs.contracts.runs import Status
from libs.postgres.database import Database
from libs.postgres.leases import Lease
from services.runner.runs.holding import Holding
from services.runner.store import orphans
from services.runner.store.orphans import Claim

log = logging.getLogger(__name__)

LOST = Failure(
    Code.UNAVAILABLE, "The process that held the run did not answer for too long: start it again.", None, 1.0
)
_CLOSED = "This process has lost its database, and may not start runs: try again."
_TICK = 0.1


class Fence:
    def __init__(self, database: Database, lease: Lease, holding: Holding) -> None:
        self._database, self._lease, self._holding = database, lease, holding
        self.holder = lease.holder
        self._since: float | None = None

    @property
    def open(self) -> bool:
        """Whether the runs held here are this process's own."""
        return self._lease.held and self._since == self._lease.since

    @property
    def tenure(self) -> float | None:
        """Another one after every gap in the lease."""
        return self._since

    def must_be_open(self) -> None:
        """Raises Fault UNAVAILABLE where a run that begins here might be taken for a dead process's."""
        if not self.open:
            raise Fault(Code.UNAVAILABLE, _CLOSED, retry_after=1)

    async def keep(self) -> None:
        """Look after every gap in the lease. For ever."""
        while True:
            if self._lease.held and not self.open:
                await self._look()
            await asyncio.sleep(_TICK)

    async def _look(self) -> None:
        """What Postgres answers now holds: a lease is renewed either before its runs are taken, or after."""
        since = self._lease.since
        held = {live.id: live for live in self._holding}
        claims = [Claim(live.id, self.holder, live.recording.attempt) for live in held.values()]
        taken = await orphans.taken(self._database, claims) if claims else []
        for id in taken:
            held[id].stop(Status.FAILED, LOST)
        if taken:
            log.warning("Runs were taken by others while this process was away", extra={"runs": len(taken)})
        self._since = since
