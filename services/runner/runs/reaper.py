"""The reaper: what becomes of the runs of a process that died.

Whoever waits for one is told to start it again, with what was written of its text kept; an asynchronous one is taken up
by another process. The rule: only an instance that has held its own lease for a whole one judges others, so that
nobody is reaped because Postgres was away for all.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from uuid import UUID

from libs.contracts.faults import Code, Failure
from libs.contracts.runs import Mode
from libs.postgres.database import Database
from libs.postgres.leases import Lease
from services.runner.runs.holding import Holding
from services.runner.runs.settling import Settling
from services.runner.store import orphans
from services.runner.store.orphans import Orphan, Settled

log = logging.getLogger(__name__)

SECONDS = 1.0
# A run that so many processes have died of is not given to another.
MOST_ATTEMPTS = 5
_BATCH = 100
_DIED = Failure(Code.UNAVAILABLE, "The process that held the run ended before the run had: start it again.", None, 1.0)


class Reaper:
    def __init__(
        self,
        database: Database,
        lease: Lease,
        holding: Holding,
        settling: Settling,
        waiting: Callable[[], Awaitable[None]],
    ) -> None:
        self._database, self._lease, self._holding, self._settling = database, lease, holding, settling
        self._waiting = waiting
        self._forgotten: set[UUID] = set()

    async def run(self) -> None:
        """Reap for ever."""
        while True:
            await asyncio.sleep(SECONDS)
            while self._lease.settled and await self._reap() == _BATCH:
                pass

    async def _reap(self) -> int:
        """How many were found."""
        held = [live.id for live in self._holding] + list(self._holding.coming)
        found = await orphans.find(self._database, self._lease.holder, held, limit=_BATCH)
        if due := self._due(found):
            await self._bury(due)
        return len(due)

    def _due(self, found: list[Orphan]) -> list[Orphan]:
        """Runs of this process's own that it does not hold are looked at twice: they may just be on their way."""
        own = {orphan.run.id for orphan in found if orphan.run.holder == self._lease.holder}
        own = {id for id in own if not self._holding.has(id)}
        seen_again, self._forgotten = own & self._forgotten, own
        others = (orphan for orphan in found if orphan.run.holder != self._lease.holder)
        return [*others, *(orphan for orphan in found if orphan.run.id in seen_again)]

    async def _bury(self, due: list[Orphan]) -> None:
        again = [orphan for orphan in due if _begins_again(orphan)]
        ends = [await self._settling.after_death(orphan, _DIED) for orphan in due if not _begins_again(orphan)]
        async with self._database.transaction() as connection:
            alive = await orphans.alive(connection, [orphan.run.holder for orphan in due])
            alive.discard(self._lease.holder)
            dead = [orphan.claim for orphan in again if orphan.run.holder not in alive]
            put_back = await orphans.put_back(connection, dead)
            ended = await self._settling.write(connection, _of_the_dead(ends, alive))
        log.warning("Runs of a dead process", extra={"ended": len(ended), "put_back": len(put_back)})
        await self._settling.tell(ended)
        if put_back:
            await self._waiting()


def _begins_again(orphan: Orphan) -> bool:
    return orphan.run.mode is Mode.ASYNC and orphan.run.attempt < MOST_ATTEMPTS


def _of_the_dead(ends: list[Settled], alive: set[str]) -> list[Settled]:
    return [end for end in ends if end.orphan.run.holder not in alive]
