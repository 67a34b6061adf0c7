"""Asking: from one process to the one that counts, and what is done where that does not answer."""

from libs.bus.bus import Bus
from libs.contracts.faults import Code, Fault
from libs.contracts.limits import OF, TAKE, Given, LookUp, Take, Used
from libs.postgres.database import Database
from services.gateway.limits import metrics, store
from services.gateway.limits.company import Company
from services.gateway.limits.counter import Counter
from services.gateway.limits.ledger import Key

_ANSWER_SECONDS = 2.0
# For so long whoever did not answer, or does not count, is not asked again.
_SILENT_SECONDS = 4.0
_REFUSED_SECONDS = 1.0


class Asking:
    def __init__(self, database: Database, bus: Bus, company: Company, counter: Counter) -> None:
        self._database, self._bus, self._company, self._counter = database, bus, company, counter

    @property
    def name(self) -> str:
        return self._company.name

    def at_once(self, asked: Take) -> Given | None:
        """Where this process counts itself; else None."""
        return self._counter.at_once(asked)

    async def ask(self, asked: Take) -> Given:
        """Raises the Fault of whoever does not count, UNAVAILABLE where nobody does, TIMEOUT."""
        counter = self._must_count()
        if counter == self.name:
            return await self._counter.take(asked)
        metrics.ASKED.inc()
        try:
            return await self._bus.call(TAKE, asked, timeout=_ANSWER_SECONDS, to=counter)
        except Fault as fault:
            self._company.doubt(_SILENT_SECONDS if fault.code is Code.TIMEOUT else _REFUSED_SECONDS)
            raise

    async def used(self, key: Key, own: int) -> int:
        """By all processes; as it was last written down where nobody counts. Raises Fault UNAVAILABLE."""
        try:
            return own + (await self._look_up(self._must_count(), LookUp(*key, self.name))).used
        except Fault:
            rows = await store.rows(self._database, key)
            return own + sum(row.used for row in rows if row.process != self.name)

    async def share(self, asked: Take) -> int:
        """How many permits this process may have used of the window, in all, while nobody counts.

        What was left when it was last written down is everybody's in equal parts, so that all together use no more.
        """
        try:
            rows = await store.rows(self._database, (asked.workspace_id, asked.kind, asked.begins))
        except Fault:
            return asked.limit // self._company.size
        own = sum(row.taken for row in rows if row.process == self.name)
        left = max(0, asked.limit - sum(row.taken for row in rows))
        return own + left // self._company.size

    async def _look_up(self, counter: str, looking: LookUp) -> Used:
        if counter == self.name:
            return await self._counter.of(looking)
        return await self._bus.call(OF, looking, timeout=_ANSWER_SECONDS, to=counter)

    def _must_count(self) -> str:
        counter = self._company.counter
        if counter is None:
            raise Fault(Code.UNAVAILABLE, "No gateway counts.", retry_after=1)
        return counter
