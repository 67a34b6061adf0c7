"""The limits of a workspace's plan, as this process holds requests to them.

Owner: gateway. The rule: a request is counted once it is known whose it is, whatever becomes of it; refused ones are
not. A message is a run that a client starts, by whichever voice.
"""

import math
import time
from uuid import UUID

from libs.contracts import ids
from libs.contracts.faults import Code, Fault
from libs.contracts.limits import Kind
from libs.postgres.changes import Changes
from libs.postgres.database import Database
from services.gateway.directory.callers import Caller
from services.gateway.limits import windows
from services.gateway.limits.books import Books
from services.gateway.limits.company import Company
from services.gateway.limits.permits import Permits, Standing
from services.gateway.limits.stock import Stock
from services.gateway.plans.plans import PLANS, Plans


class Limits:
    """`name` is this process's own."""

    def __init__(self, database: Database, name: str, plans: Plans, changes: Changes) -> None:
        self._plans = plans
        self.company = Company(database, name)
        stock = Stock(database)
        self._permits = {kind: Permits(kind, stock, self.company) for kind in Kind}
        self.books = Books(database, plans, list(self._permits.values()))
        changes.watch(PLANS, lambda workspace: self._give_back(UUID(workspace)))

    async def request(self, caller: Caller) -> Standing:
        """Counts a request, and one with an API key as such. Raises Fault UNAVAILABLE."""
        terms = await self._plans.of(caller.workspace_id)
        standing = await self._permits[Kind.REQUESTS].take(caller.workspace_id, terms.requests_per_minute)
        assert standing is not None
        if not standing.admitted or caller.key_id == ids.NONE:
            return standing
        calls = await self._permits[Kind.API_CALLS].take(caller.workspace_id, terms.api_calls_per_month)
        if calls is None or calls.admitted:
            return standing
        self._permits[Kind.REQUESTS].take_back(caller.workspace_id, standing)
        return calls

    async def message(self, workspace_id: UUID) -> Standing | None:
        """Counts a message; None where there is no limit. Raises Fault UNAVAILABLE."""
        terms = await self._plans.of(workspace_id)
        return await self._permits[Kind.CHAT_MESSAGES].take(workspace_id, terms.chat_messages_per_day)

    async def used(self, workspace_id: UUID, kind: Kind) -> int:
        """In the window that goes on, by all processes together, as of a second ago. Raises Fault UNAVAILABLE."""
        begins, _ = windows.window(kind, time.time())
        return await self.books.used((workspace_id, kind, begins), self._permits[kind])

    def _give_back(self, workspace_id: UUID) -> None:
        for permits in self._permits.values():
            permits.give_back(workspace_id)

    async def leave(self) -> None:
        """What this process has left and what it knows is not lost. Raises Fault UNAVAILABLE."""
        await self.books.close()
        await self.company.leave()


def refused(standing: Standing) -> Fault:
    message = f"This workspace has used up its plan's {standing.kind.spoken} ({standing.limit}): try again later."
    return Fault(Code.RATE_LIMITED, message, retry_after=max(1, math.ceil(standing.ends - time.time())))
