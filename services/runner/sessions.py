"""Sessions: what `rpc.runner.sessions.*` answers. With a session go its runs, which are its memory.

The rule of branches: what follows a turn sees the turns up to it, whatever else has followed it.
"""

from uuid import UUID

from msgspec import structs

from libs.contracts import ids, runs
from libs.contracts.faults import Code, Fault, not_found
from libs.contracts.paging import Page
from libs.contracts.sessions import ContinueFrom, CreateSession, GetSession, PageSessions, Session
from libs.postgres.database import Connection, Database
from services.runner import erasing
from services.runner.catalog import Catalog
from services.runner.storable import named, storable
from services.runner.store import branches
from services.runner.store import sessions as stored
from services.runner.store.branches import Place


class Sessions:
    def __init__(self, database: Database, catalog: Catalog) -> None:
        self._database, self._catalog = database, catalog

    async def create(self, asked: CreateSession) -> Session:
        """Raises Fault NOT_FOUND for an action that the workspace does not have, INVALID for an endless name."""
        if asked.name:
            named(asked.name)
        if asked.action_id is not None:
            scripted = await self._catalog.action(asked.workspace_id, asked.action_id)
            asked = structs.replace(asked, action_id=scripted.id)
        id = asked.id or ids.new()
        await stored.create(self._database, id, storable(asked))
        return await self.get(GetSession(asked.workspace_id, id))

    async def get(self, asked: GetSession) -> Session:
        session = await stored.get(self._database, asked.workspace_id, asked.session_id)
        if session is None:
            raise not_found("session", asked.session_id)
        return session

    async def go_on(self, asked: ContinueFrom) -> Session:
        """Raises Fault NOT_FOUND for a run that the workspace does not have, CONFLICT for one that has not ended."""
        place = await branches.place(self._database, asked.workspace_id, asked.run_id)
        if place is None:
            raise not_found("run", asked.run_id)
        if place.status not in runs.ENDED:
            raise Fault(Code.CONFLICT, f"The run {asked.run_id} goes on: continue from it once it has ended.")
        async with self._database.transaction() as connection:
            session_id = await _following(connection, place, asked.id or ids.new())
        return await self.get(GetSession(asked.workspace_id, session_id))

    async def page(self, asked: PageSessions) -> Page[Session]:
        return await stored.page(self._database, asked)

    async def delete(self, asked: GetSession) -> Session:
        """The session as it was."""
        session = await self.get(asked)
        async with self._database.transaction() as connection:
            await erasing.delete_session(connection, session)
        return session


async def _following(connection: Connection, place: Place, new: UUID) -> UUID:
    """The session in which what follows this place is the next turn: its own, or the new one."""
    if place.session_id is None or place.turn is None:
        await branches.begin(connection, new, place)
        return new
    if await branches.follow(connection, place.session_id, place.turn):
        return place.session_id
    await branches.branch(connection, new, place.session_id, place.turn)
    return new
