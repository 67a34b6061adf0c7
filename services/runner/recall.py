"""Reading what sessions remember: while one query is under way, the sessions asked for meanwhile share the next.

The rule: a question never joins a query that had begun before it, so it sees every turn committed until then.
"""

import asyncio
from contextvars import Context
from uuid import UUID

from libs.contracts.faults import not_found
from libs.postgres.database import Database
from services.runner.store import sessions
from services.runner.store.sessions import Memory, Turn


class Recall:
    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting: dict[UUID, asyncio.Future[Memory | None]] = {}
        self._reading: asyncio.Task[None] | None = None

    async def turns(self, workspace_id: UUID, session_id: UUID) -> list[Turn]:
        """Newest first. Raises Fault NOT_FOUND where the workspace has no such session."""
        memory = await asyncio.shield(self._asked(session_id))
        if memory is None or memory.workspace_id != workspace_id:
            raise not_found("session", session_id)
        return memory.turns

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
