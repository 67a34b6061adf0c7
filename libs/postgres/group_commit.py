"""Group commit without a timer: while one transaction is in flight, the next batch gathers.

Owner: the service whose rows it writes. The rule: `add` returns once its item is committed, and a bad item fails alone.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextvars import Context
from typing import Generic, TypeVar

from libs.contracts.faults import Code, Fault
from libs.postgres.database import Connection, Database

T = TypeVar("T")
Waiting = tuple[T, "asyncio.Future[None]"]


class GroupCommit(Generic[T]):
    """`write` stores a list of items in one transaction, best with one statement over `unnest`."""

    def __init__(
        self, database: Database, write: Callable[[Connection, list[T]], Awaitable[None]], *, limit: int = 500
    ) -> None:
        self._database, self._write, self._limit = database, write, limit
        self._waiting: list[Waiting[T]] = []
        self._flight: asyncio.Task[None] | None = None

    async def add(self, item: T) -> None:
        """Returns once the item is committed; raises what its own write raised, or Fault UNAVAILABLE.

        A caller that is cancelled leaves its item behind to be written.
        """
        committed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, committed))
        if self._flight is None:
            self._flight = asyncio.get_running_loop().create_task(self._fly(), context=Context())
        await committed

    async def drain(self) -> None:
        """Returns once nothing waits."""
        while self._flight is not None:
            await asyncio.wait([self._flight])

    async def _fly(self) -> None:
        try:
            while self._waiting:
                batch, self._waiting = self._waiting[: self._limit], self._waiting[self._limit :]
                await self._settle(batch)
        finally:
            self._flight = None

    async def _settle(self, batch: list[Waiting[T]]) -> None:
        """Commit a batch; halve it where it fails, until the bad item is alone."""
        error = await self._commit([item for item, _ in batch])
        if error is None or len(batch) == 1 or _is_outage(error):
            _answer(batch, error)
            return
        middle = len(batch) // 2
        await self._settle(batch[:middle])
        await self._settle(batch[middle:])

    async def _commit(self, items: list[T]) -> Exception | None:
        try:
            async with self._database.transaction() as connection:
                await self._write(connection, items)
        except Exception as error:  # handed to whoever waits for it
            return error
        return None


def _answer(batch: list[Waiting[T]], error: Exception | None) -> None:
    for _, committed in batch:
        if committed.done():
            continue
        if error is None:
            committed.set_result(None)
        else:
            committed.set_exception(error)


def _is_outage(error: Exception) -> bool:
    return isinstance(error, Fault) and error.code is Code.UNAVAILABLE
