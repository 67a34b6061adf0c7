"""Reading what sessions remember: while one query is under way, the sessions asked for meanwhile share the next.

The rule: a question never joins a query that had begun before it, so it sees every turn committed until then.
"""

import asyncio
from contextvars import Context
from uuid import UUID

from libs.postgres.database import Database
from services.runner.store import sessions
from services.runner.store.sessions import Memory


class Recall:
    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting: dict[UUID, asyncio.Future[Memory | None]] = {}
        self._reading: asyncio.Task[None] | None = None

    async def of(self, session_id: UUID) -> Memory | None:
        """What the session of any workspace remembers; None where there is none of that id."""
        return await asyncio.shield(self._asked(session_id))

    def _asked(self, session_id: UUID) -> "asyncio.Future[Memory | None]":
        loop = asyncio.get_running_loop()
        if session_id not in self._waiting:
            self._waiting[session_id] = loop.create_future()
        if self._reading is None:
            self._reading = loop.create_task(self._read(), context=Context())
        return self._waiting[session_id]

    async def _read(self) -> None:
        try:
            while self._waiting:
                asked, self._waiting = self._waiting, {}
                await self._answer(asked)
        finally:
            self._reading = None

    async def _answer(self, asked: "dict[UUID, asyncio.Future[Memory | None]]") -> None:
        try:
            found = await sessions.memories(self._database, list(asked))
        except Exception as error:  # handed to those who asked
            for future in asked.values():
                future.set_exception(error)
        else:
            for session_id, future in asked.items():
                future.set_result(found.get(session_id))
