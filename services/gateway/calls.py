"""Calls: how many requests came with an API key, counted here and told every few seconds as an event.

The rule: no request waits for it. A process that is killed takes with it what it had counted since it last told.
"""

import asyncio
from collections import Counter
from datetime import UTC, date, datetime
from uuid import UUID

from libs.contracts import calls, ids
from libs.postgres import outbox
from libs.postgres.database import Database
from services.gateway.directory.callers import Caller

_TELL_SECONDS = 2.0


class Calls:
    def __init__(self, database: Database) -> None:
        self._database = database
        self._counted: Counter[tuple[UUID, date]] = Counter()

    def note(self, caller: Caller) -> None:
        """A request was admitted. Who logged in, or opens Klisk with a key of the operator's, makes no call."""
        if caller.key_id != ids.NONE:
            self._counted[caller.workspace_id, datetime.now(UTC).date()] += 1

    async def run(self) -> None:
        """Tell for ever."""
        while True:
            await asyncio.sleep(_TELL_SECONDS)
            await self.tell()

    async def tell(self) -> None:
        """What can't be told now is told with the next. Raises Fault UNAVAILABLE."""
        counted, self._counted = self._counted, Counter()
        if not counted:
            return
        facts = [calls.CallsCounted(workspace_id, day, number) for (workspace_id, day), number in counted.items()]
        try:
            async with self._database.transaction() as connection:
                await outbox.state(connection, calls.COUNTED, facts)
        except BaseException:
            self._counted.update(counted)
            raise
