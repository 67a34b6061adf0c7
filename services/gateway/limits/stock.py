"""The stock: the permits that are left, in Postgres, out of which every gateway takes its own.

The rule: permits are out once they are committed, and go to whoever asked. Those who ask while a statement is under way
go together in the next one.
"""

import asyncio
from contextvars import Context

from libs.postgres.database import Database
from services.gateway.limits import metrics, store
from services.gateway.limits.held import Given, Spent
from services.gateway.limits.store import Asked, Key

_AT_ONCE = 500


class Stock:
    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting: list[tuple[Asked, asyncio.Future[Given]]] = []
        self._flight: asyncio.Task[None] | None = None

    async def take(self, asked: Asked) -> Given:
        """Raises Fault UNAVAILABLE; whether permits were taken out is not known then, and they are nobody's."""
        metrics.ASKED.inc()
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Given] = loop.create_future()
        self._waiting.append((asked, answer))
        if self._flight is None:
            self._flight = loop.create_task(self._fly(), context=Context())
        return await answer

    async def give_back(self, key: Key, permits: int) -> None:
        """Raises Fault UNAVAILABLE; then they are lost."""
        await store.book(self._database, [(key, Spent(0, -permits))])

    async def _fly(self) -> None:
        try:
            while self._waiting:
                batch, self._waiting = self._waiting[:_AT_ONCE], self._waiting[_AT_ONCE:]
                await self._answer(batch)
        finally:
            self._flight = None

    async def _answer(self, batch: "list[tuple[Asked, asyncio.Future[Given]]]") -> None:
        try:
            given = await store.take(self._database, [asked for asked, _ in batch])
        except Exception as error:  # handed to whoever waits for it
            for _, answer in batch:
                if not answer.done():
                    answer.set_exception(error)
            return
        for (_, answer), each in zip(batch, given, strict=True):
            if not answer.done():
                answer.set_result(each)
