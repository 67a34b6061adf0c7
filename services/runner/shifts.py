"""Shifts: work on rows that all processes of the runner share, several rows at once.

The rule: a row is claimed by this instance's lease, so what it leaves undone others take up. Whatever goes wrong with
one comes to a Fault, and what becomes of it then is the business of whoever does it.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Sequence
from typing import Generic, Protocol, TypeVar
from uuid import UUID

from libs.contracts.faults import OURS, Code, Fault
from libs.postgres.leases import Lease

log = logging.getLogger(__name__)

# A row whose failure fails is tried again, and not at once.
_FAILED_SECONDS = 5.0


class Row(Protocol):
    """`tries` counts how often it was claimed since it last went on."""

    @property
    def id(self) -> UUID: ...

    @property
    def tries(self) -> int: ...


R = TypeVar("R", bound=Row)


class Work(Protocol[R]):
    """What is done with the rows of one kind."""

    async def claim(self, holder: str, limit: int, busy: Sequence[UUID]) -> list[R]:
        """Up to `limit` rows for this holder, and none that this process is `busy` with."""
        ...

    async def do(self, row: R, holder: str, /) -> None: ...

    async def failed(self, row: R, holder: str, fault: Fault, /) -> None:
        """Puts down why it could not be done."""
        ...


class Shift(Generic[R]):
    """`rest` is how many seconds to wait for the next look, at most."""

    def __init__(self, lease: Lease, work: Work[R], *, slots: int, rest: Callable[[], float]) -> None:
        self._lease, self._work = lease, work
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
        for row in await self._work.claim(holder, self._slots - len(self._tasks), list(self._tasks)):
            task = asyncio.get_running_loop().create_task(self._own(row, holder), name=f"row {row.id}")
            self._tasks[row.id] = task

    async def _own(self, row: R, holder: str) -> None:
        try:
            await self._tried(row, holder)
        except Exception:
            log.exception("A row can't be left as it is", extra=_of(row))
            await asyncio.sleep(_FAILED_SECONDS)
        finally:
            del self._tasks[row.id]
            self.wake()

    async def _tried(self, row: R, holder: str) -> None:
        try:
            await self._work.do(row, holder)
        except Fault as fault:
            await self._put_down(row, holder, fault)
        except Exception:
            log.exception("A row failed on our side", extra=_of(row))
            await self._put_down(row, holder, Fault(Code.INTERNAL, OURS))

    async def _put_down(self, row: R, holder: str, fault: Fault) -> None:
        """While the database itself is away the row stays ours: this process takes it up again."""
        try:
            await self._work.failed(row, holder, fault)
        except Fault as away:
            log.warning("A row waits", extra=_of(row) | {"error": away.message})


def _of(row: Row) -> dict[str, object]:
    return {"of": type(row).__module__, "row": row.id, "tries": row.tries}
