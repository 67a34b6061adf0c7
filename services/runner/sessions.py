"""Sessions: what `rpc.runner.sessions.*` answers. With a session goes its memory; its runs stay."""

from libs.contracts import ids
from libs.contracts.faults import not_found
from libs.contracts.paging import Page
from libs.contracts.sessions import CreateSession, GetSession, PageSessions, Session
from libs.postgres.database import Database
from services.runner.catalog import Catalog
from services.runner.storable import storable
from services.runner.store import sessions as stored


class Sessions:
    def __init__(self, database: Database, catalog: Catalog) -> None:
        self._database, self._catalog = database, catalog

    async def create(self, asked: CreateSession) -> Session:
        """Raises Fault NOT_FOUND for an action that the workspace does not have."""
        if asked.action_id is not None:
            await self._catalog.action(asked.workspace_id, asked.action_id)
        id = asked.id or ids.new()
        await stored.create(self._database, id, storable(asked))
        return await self.get(GetSession(asked.workspace_id, id))

    async def get(self, asked: GetSession) -> Session:
        session = await stored.get(self._database, asked.workspace_id, asked.session_id)
        if session is None:
            raise not_found("session", asked.session_id)
        return session

    async def page(self, asked: PageSessions) -> Page[Session]:
        return await stored.page(self._database, asked)

    async def delete(self, asked: GetSession) -> Session:
        """The session as it was."""
        session = await self.get(asked)
        await stored.delete(self._database, asked.workspace_id, asked.session_id)
        return session
