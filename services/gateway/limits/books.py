"""The books: what was used of each window is written down once a second, and whose limits were reached is told.

The rule: permits that are given back are given back once. Where it is not known whether that was heard they are lost.
"""

import asyncio
import time
from collections.abc import Sequence

from libs.contracts.faults import Code, Fault
from libs.contracts.limits import REACHED, LimitReached
from libs.postgres import outbox
from libs.postgres.database import Database
from libs.postgres.patience import for_ever
from services.gateway.limits import store, windows
from services.gateway.limits.held import Held
from services.gateway.limits.permits import Permits
from services.gateway.limits.store import Key
from services.gateway.plans.plans import Plans

_WRITE_SECONDS = 1.0
_SWEEP_SECONDS = 60.0
_AT_ONCE = 1000


class Books:
    def __init__(self, database: Database, plans: Plans, permits: Sequence[Permits]) -> None:
        self._database, self._plans, self._permits = database, plans, permits
        self._writing = asyncio.Lock()
        self._sweep_due = 0.0

    async def run(self) -> None:
        """For ever."""
        await for_ever(self._turn, lambda: asyncio.sleep(_WRITE_SECONDS), waits="What was counted can't be written")

    async def _turn(self) -> None:
        await self.write()
        await self._sweep()

    async def write(self) -> None:
        """Raises Fault UNAVAILABLE; then what was used is written the next time."""
        await self._write([each for permits in self._permits for each in permits.review()])
        for permits in self._permits:
            await self._tell_refused(permits.refused)

    async def used(self, key: Key, permits: Permits) -> int:
        """By all processes, as far as they have written it. Raises Fault UNAVAILABLE."""
        async with self._writing:
            return await store.used(self._database, key) + permits.untold(key[0], key[2])

    async def close(self) -> None:
        """What is left is for the others. Raises Fault UNAVAILABLE."""
        await self._write([each for permits in self._permits for each in await permits.close()])

    async def _write(self, everything: list[tuple[Key, Held]]) -> None:
        async with self._writing:
            told = [(key, held, spent) for key, held in everything if (spent := held.tell()) is not None]
            while told:
                some, told = told[:_AT_ONCE], told[_AT_ONCE:]
                try:
                    await store.book(self._database, [(key, spent) for key, _, spent in some])
                except BaseException:
                    for _, held, spent in some + told:
                        held.untell(spent)
                    raise

    async def _tell_refused(self, refused: dict[Key, int]) -> None:
        """`refused` is empty then, but for what came meanwhile."""
        facts = {key: await self._reached(key, limit) for key, limit in list(refused.items())}
        if not facts:
            return
        async with self._database.transaction() as connection:
            news = await store.reached(connection, [key for key, fact in facts.items() if fact is not None])
            told = [fact for key, fact in facts.items() if fact is not None and key in news]
            await outbox.state(connection, REACHED, told)
        for key in facts:
            refused.pop(key, None)  # whoever wrote at the same time may have told of it

    async def _reached(self, key: Key, limit: int) -> LimitReached | None:
        """None where the workspace is no more."""
        workspace_id, kind, begins = key
        try:
            plan = (await self._plans.of(workspace_id)).plan
        except Fault as fault:
            if fault.code is not Code.NOT_FOUND:
                raise
            return None
        ends = windows.ends(kind, begins)
        return LimitReached(workspace_id, kind, limit, plan, windows.moment(begins), windows.moment(ends))

    async def _sweep(self) -> None:
        if time.monotonic() >= self._sweep_due:
            self._sweep_due = time.monotonic() + _SWEEP_SECONDS
            await store.sweep(self._database)
