"""Apps: what `rpc.runner.apps.*` answers. With an app go its actions; what they ran stays."""

from libs.contracts import apps, ids
from libs.contracts.apps import App, CreateApp, GetApp, PageApps, UpdateApp
from libs.contracts.faults import not_found
from libs.contracts.paging import Page
from libs.postgres.changes import changed
from libs.postgres.database import Database
from services.runner.catalog import ACTION, NAMES, Catalog
from services.runner.storable import named, storable
from services.runner.store import apps as stored


class Apps:
    def __init__(self, database: Database, catalog: Catalog) -> None:
        self._database, self._catalog = database, catalog

    async def create(self, asked: CreateApp) -> App:
        named(asked.name)
        id = asked.id or ids.new()
        await stored.create(self._database, id, storable(asked))
        return await self.get(GetApp(asked.workspace_id, id))

    async def get(self, asked: GetApp) -> App:
        app = await stored.get(self._database, asked.workspace_id, asked.app_id)
        if app is None:
            raise not_found("app", asked.app_id)
        return app

    async def page(self, asked: PageApps) -> Page[App]:
        return await stored.page(self._database, asked)

    async def update(self, asked: UpdateApp) -> App:
        named(asked.name)
        await stored.update(self._database, storable(asked))
        return await self.get(GetApp(asked.workspace_id, asked.app_id))

    async def delete(self, asked: apps.GetApp) -> App:
        """The app as it was."""
        app = await self.get(asked)
        async with self._catalog.changing() as connection:
            for action_id in await stored.delete(connection, app.workspace_id, app.id):
                await changed(connection, ACTION, str(action_id))
            await changed(connection, NAMES, str(app.workspace_id))
        return app
