"""In order: endpoints that want one delivery at a time, in the order of their events.

Owner: webhook_dispatcher; its processes share the endpoints. One that fails holds those behind it until it has arrived
or failed for good. What is new waits until it is certain that nothing comes before it.
"""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from uuid import UUID

from libs.contracts.faults import Fault
from libs.postgres.database import Database
from services.webhook_dispatcher.heard import Heard
from services.webhook_dispatcher.store import in_order as store
from services.webhook_dispatcher.store.claims import Claimed
from services.webhook_dispatcher.turns import START

log = logging.getLogger(__name__)

_POLL_SECONDS = 1.0
_UNCERTAIN_SECONDS = 0.05
# Between two rounds, and where the last one found nothing: most installations have no such endpoint.
_PAUSE_SECONDS, _IDLE_SECONDS = 0.002, 0.05
_WIDTH = 256


class InOrder:
    """Has `begin` make the attempts, of `seconds` at most, as many at once as there is `room` for."""

    def __init__(
        self,
        database: Database,
        room: Callable[[], int],
        begin: Callable[[Claimed], None],
        *,
        heard: Heard,
        seconds: float,
    ) -> None:
        self._database, self._room, self._begin = database, room, begin
        self._heard, self._seconds = heard, seconds
        self._reached = START
        self._found = False
        self._woken = asyncio.Event()
        self._closed = False

    def wake(self) -> None:
        """Something was queued, or has ended."""
        self._woken.set()

    def close(self) -> None:
        self._closed = True
        self.wake()

    async def run(self) -> None:
        """Until `close`."""
        while not self._closed:
            self._woken.clear()
            uncertain = await self._round()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._woken.wait(), _UNCERTAIN_SECONDS if uncertain else _POLL_SECONDS)
            await asyncio.sleep(_PAUSE_SECONDS if self._found else _IDLE_SECONDS)

    async def _round(self) -> bool:
        """Begin what is first at its endpoint, and due. Whether something is that may not be the first yet."""
        found = await store.find(self._database, after=self._reached, most=_WIDTH)
        waiting, self._found = found.waiting, bool(found.waiting)
        self._reached = found.reached or START
        if found.reached is not None:
            self.wake()
        if any(each.new and each.due_at > self._heard.until for each in waiting):
            await self._look()
        certain = [each.endpoint_id for each in waiting if not each.new or each.due_at <= self._heard.until]
        await self._claim(certain)
        return len(certain) < len(waiting)

    async def _look(self) -> None:
        try:
            await self._heard.look()
        except Fault as fault:
            log.info("What is new waits to be put in order", extra={"error": fault.message})

    async def _claim(self, endpoints: list[UUID]) -> None:
        most = self._room()
        if endpoints and most > 0:
            chosen = endpoints[:most]
            for claimed in await store.claim(self._database, chosen, until=self._heard.until, seconds=self._seconds):
                self._begin(claimed)
