"""The company: how many processes of the gateway there are, and which of them counts.

Each says once a second that it is there. While nobody counts, the number of those who share what is left does not
fall: who is gone may have used his share.
"""

import asyncio
import logging
import time

from libs.contracts.faults import Fault
from libs.postgres.database import Database
from services.gateway.limits import store

log = logging.getLogger(__name__)

_CALL_SECONDS = 1.0
_SEEN_SECONDS = 4.0


class Company:
    """`name` is this process's own. `size` counts it as well; `alone`: it was seen that there is no other."""

    def __init__(self, database: Database, name: str) -> None:
        self.name, self.size, self.alone = name, 1, False
        self._database = database.pulse
        self._counter: str | None = None
        self._doubted_until = 0.0

    @property
    def counter(self) -> str | None:
        """Whom to ask; None while nobody is known to answer."""
        return self._counter if time.monotonic() >= self._doubted_until else None

    def doubt(self, seconds: float) -> None:
        """It gave no answer: it is not asked for so long."""
        self._doubted_until = time.monotonic() + seconds

    async def run(self) -> None:
        """For ever."""
        away = False
        while True:
            try:
                await self.call()
                away = False
            except Fault as fault:
                if not away:
                    log.warning("The other gateways can't be seen: %s", fault.message)
                away = True
            await asyncio.sleep(_CALL_SECONDS)

    async def call(self) -> None:
        seen = await store.roll_call(self._database, self.name, _SEEN_SECONDS)
        self.size = max(self.size, seen.processes) if seen.counter is None else seen.processes
        if seen.counter != self._counter:
            self._doubted_until = 0.0
        self.alone = self.size == 1
        self._counter = seen.counter

    async def leave(self) -> None:
        await store.leave(self._database, self.name)
