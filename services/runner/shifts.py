"""Shifts: work on rows that all processes of the runner share, several rows at once.

The rule: a row is claimed by this instance's lease, so what it leaves undone others take up. A row that fails is the
business of whoever does it; here nothing is lost but time.
"""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, Protocol, TypeVar
from uuid import UUID

from libs.postgres.leases import Lease

log = logging.getLogger(__name__)

# A row that fails on our side is tried again, and not at once.
_FAILED_SECONDS = 5.0


class Row(Protocol):
    @property
    def id(self) -> UUID: ...


R = TypeVar("R", bound=Row)


class Shift(Generic[R]):
    """`claim` is told the holder, how many rows it may take, and which this process is busy with; `do` works on one,
    for the holder. `rest` is how many seconds to wait for the next look, at most.
    """

    def __init__(
        self,
        lease: Lease,
        claim: Callable[[str, int, Sequence[UUID]], Awaitable[list[R]]],
        do: Callable[[R, str], Awaitable[None]],
        *,
        slots: int,
        rest: Callable[[], float],
    ) -> None:
        self._lease, self._claim, self._do = lease, claim, do
        self._slots, self._rest = slots, rest
        self._tasks: dict[UUID, asyncio.Task[None]] = {}
        self._woken = asyncio.Event()
        self._closing = False

    def wake(self) -> None:
        self._woken.set()

    async def run(self) -> None:
        """Until `stop`."""
        while not self._closing:
            self._woken.clear()
            if self._lease.held:
                await self._fill()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._woken.wait(), self._rest())

    async def stop(self) -> None:
        """Give up what is under way, for others to go on with."""
        self._closing = True
        self.wake()
        for task in self._tasks.values():
            task.cancel()
        while self._tasks:
            await asyncio.wait(self._tasks.values())

    async def _fill(self) -> None:
        holder = self._lease.holder
        for row in await self._claim(holder, self._slots - len(self._tasks), list(self._tasks)):
            task = asyncio.get_running_loop().create_task(self._work(row, holder), name=f"row {row.id}")
            self._tasks[row.id] = task

    async def _work(self, row: R, holder: str) -> None:
        try:
            await self._do(row, holder)
        except Exception:
            log.exception("Work on a row failed", extra={"row": row.id})
            await asyncio.sleep(_FAILED_SECONDS)
        finally:
            del self._tasks[row.id]
            self.wake()
