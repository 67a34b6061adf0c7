"""The limits of a workspace's plan, as this process holds requests to them.

Owner: gateway. The rule: a request is counted once it is known whose it is, whatever becomes of it; refused ones are
not. A message is a run that a client starts, by whichever voice.
"""

import asyncio
import math
import time
from uuid import UUID

from libs.bus.bus import Bus
from libs.contracts import ids
from libs.contracts.faults import Code, Fault
from libs.contracts.limits import FEED, Kind, Spending
from libs.postgres.changes import Changes
from libs.postgres.database import Database
from libs.postgres.leases import Lease
from services.gateway.directory.callers import Caller
from services.gateway.limits import store
from services.gateway.limits.asking import Asking
from services.gateway.limits.company import Company
from services.gateway.limits.counter import Counter
from services.gateway.limits.permits import Permits, Standing
from services.gateway.plans.plans import PLANS, Plans, Terms

_TELL_SECONDS = 1.0
_WINDOWS_A_MESSAGE = 2000


class Limits:
    def __init__(self, database: Database, bus: Bus, plans: Plans, changes: Changes) -> None:
        self._bus, self._plans = bus, plans
        self.lease = Lease(database, store.LEASE, bus.instance)
        self.company = Company(database, bus.instance)
        self.counter = Counter(database, self.lease, self.company, plans, connected=lambda: bus.connected)
        asking = Asking(database, bus, self.company, self.counter)
        self._permits = {kind: Permits(kind, asking) for kind in Kind}
        self._told_by: str | None = None
        changes.watch(PLANS, lambda workspace: self._give_back(UUID(workspace)))

    async def request(self, caller: Caller) -> Standing:
        """Counts a request, and one with an API key as such. Raises Fault UNAVAILABLE."""
        terms = await self._plans.of(caller.workspace_id)
        standing = await self._permits[Kind.REQUESTS].take(caller.workspace_id, terms.requests_per_minute)
        assert standing is not None
        if standing.admitted and caller.key_id != ids.NONE:
            calls = await self._permits[Kind.API_CALLS].take(caller.workspace_id, terms.api_calls_per_month)
            return standing if calls is None or calls.admitted else calls
        return standing

    async def message(self, workspace_id: UUID) -> Standing | None:
        """Counts a message; None where there is no limit. Raises Fault UNAVAILABLE."""
        terms = await self._plans.of(workspace_id)
        return await self._permits[Kind.CHAT_MESSAGES].take(workspace_id, terms.chat_messages_per_day)

    async def used(self, workspace_id: UUID, kind: Kind) -> int:
        """In the window that goes on, by all processes together, as of a second ago. Raises Fault UNAVAILABLE."""
        return await self._permits[kind].used(workspace_id, _limit(await self._plans.of(workspace_id), kind))

    async def tell(self) -> None:
        """For ever: once a second, to whoever counts, what was used here; all of it where that is another one."""
        while True:
            await asyncio.sleep(_TELL_SECONDS)
            await self.tell_now()

    async def tell_now(self) -> None:
        counter = self.company.counter
        everything, self._told_by = counter is None or counter != self._told_by, counter
        spent = [each for permits in self._permits.values() for each in permits.spending(everything=everything)]
        for start in range(0, len(spent), _WINDOWS_A_MESSAGE):
            said = Spending(self.company.name, spent[start : start + _WINDOWS_A_MESSAGE])
            self.counter.hear(said)
            if not self.company.alone:
                await self._bus.publish(FEED, self.company.name, said)

    def _give_back(self, workspace_id: UUID) -> None:
        for permits in self._permits.values():
            permits.give_back(workspace_id)

    async def leave(self) -> None:
        """What this process knows is not lost, and another may count at once. Raises Fault UNAVAILABLE."""
        await self.tell_now()
        if self.lease.held:
            await self.counter.leave()
        await self.company.leave()


def refused(standing: Standing) -> Fault:
    message = f"This workspace has used up its plan's {standing.kind.spoken} ({standing.limit}): try again later."
    return Fault(Code.RATE_LIMITED, message, retry_after=max(1, math.ceil(standing.ends - time.time())))


def _limit(terms: Terms, kind: Kind) -> int | None:
    match kind:
        case Kind.REQUESTS:
            return terms.requests_per_minute
        case Kind.CHAT_MESSAGES:
            return terms.chat_messages_per_day
        case Kind.API_CALLS:
            return terms.api_calls_per_month
