"""How many asynchronous runs of one workspace may wait; beyond it, its callers are told to come later.

What waits is counted at most once a second for each workspace that asks, and what this process puts in since is added:
several processes may go over the bound by what they accept within a second.
"""

import time
from uuid import UUID

from msgspec import Struct

from libs.contracts.faults import Code, Fault
from services.runner.store.queue import Queue

_COUNTED_SECONDS = 1.0
_WORKSPACES = 10_000
_RETRY_SECONDS = 5.0


class _Count(Struct):
    at: float
    runs: int


class Backlog:
    """`most`: 0 for any number."""

    def __init__(self, queue: Queue, most: int) -> None:
        self._queue, self._most = queue, most
        self._counts: dict[UUID, _Count] = {}

    async def add(self, workspace_id: UUID) -> None:
        """One more is to wait. Raises Fault RATE_LIMITED where too many do."""
        if not self._most:
            return
        count = await self._count(workspace_id)
        if count.runs >= self._most:
            message = f"{self._most:,} asynchronous runs of this workspace wait already: try again when some are done."
            raise Fault(Code.RATE_LIMITED, message, retry_after=_RETRY_SECONDS)
        count.runs += 1

    async def _count(self, workspace_id: UUID) -> _Count:
        now = time.monotonic()
        count = self._counts.get(workspace_id)
        if count is None or now - count.at > _COUNTED_SECONDS:
            if len(self._counts) >= _WORKSPACES:
                self._counts.clear()
            count = _Count(now, await self._queue.waiting(workspace_id, most=self._most))
            self._counts[workspace_id] = count
        return count
