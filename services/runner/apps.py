"""Apps: what `rpc.runner.apps.*` answers. With an app go its actions; what they ran stays."""

from uuid import UUID

from msgspec import UNSET

from libs.contracts import actions, apps, ids
from libs.contracts.apps import App, CreateApp, FindApp, GetApp, PageApps, UpdateApp
from libs.contracts.faults import not_found
from libs.contracts.paging import Page
from libs.postgres.changes import all_changed, changed
from libs.postgres.database import Database
from services.runner.actions import Actions
from services.runner.catalog import ACTION, APP, NAMES, Catalog
from services.runner.storable import named, storable
from services.runner.store import apps as stored


class Apps:
    def __init__(self, database: Database, catalog: Catalog, actions: Actions) -> None:
        self._database, self._catalog, self._actions = database, catalog, actions

    async def create(self, asked: CreateApp) -> App:
        """Raises Fault as an action's making does, where one is made with it."""
        named(asked.name)
        asked, id = storable(asked), asked.id or ids.new()
        if (first := _first(asked, id)) is not None:
            await self._actions.check(first)
        async with self._catalog.changing() as connection:
            if await stored.create(connection, id, asked):
                await changed(connection, APP, str(id))
                if first is not None:
                    await self._actions.make(connection, ids.derived(id, 1), first)
        return await self.get(GetApp(asked.workspace_id, id))

    async def get(self, asked: GetApp) -> App:
        app = await stored.get(self._database, asked.workspace_id, asked.app_id)
        if app is None:
            raise not_found("app", asked.app_id)
        return app

    async def find(self, asked: FindApp) -> App:
        """Raises Fault NOT_FOUND where there is no app with an action."""
        return await self._catalog.default_app(asked.workspace_id)

    async def page(self, asked: PageApps) -> Page[App]:
        return await stored.page(self._database, asked)

    async def update(self, asked: UpdateApp) -> App:
        """Raises Fault as an action's update does, before anything is changed."""
        named(asked.name)
        app = await self.get(GetApp(asked.workspace_id, asked.app_id))
        if any(value is not UNSET for value in (asked.prompt, asked.model_id, asked.context_ids)):
            await self._update_default(app, asked)
        async with self._catalog.changing() as connection:
            if asked.default is True:
                await stored.yield_default(connection, asked.workspace_id)
            await stored.update(connection, storable(asked))
            await changed(connection, APP, str(asked.app_id))
            await changed(connection, NAMES, str(asked.workspace_id))
        return await self.get(GetApp(asked.workspace_id, asked.app_id))

    async def _update_default(self, app: App, asked: UpdateApp) -> None:
        changes = {"prompt": asked.prompt, "model_id": asked.model_id, "context_ids": asked.context_ids}
        given = {name: value for name, value in changes.items() if value is not UNSET}
        if app.default_action_id is not None:
            await self._actions.update(actions.UpdateAction(app.workspace_id, app.default_action_id, **given))
        else:
            made = {"prompt": "", "created_by": app.created_by} | given
            await self._actions.create(actions.CreateAction(app.workspace_id, app.id, app.name, **made))

    async def delete(self, asked: apps.GetApp) -> App:
        """The app as it was."""
        app = await self.get(asked)
        async with self._catalog.changing() as connection:
            gone = await stored.delete(connection, app.workspace_id, app.id)
            await all_changed(connection, ACTION, [str(action_id) for action_id in gone])
            await changed(connection, APP, str(app.id))
            await changed(connection, NAMES, str(app.workspace_id))
        return app


def _first(asked: CreateApp, app_id: UUID) -> actions.CreateAction | None:
    """The action that an app is made with."""
    if asked.prompt is None and asked.model_id is None and not asked.context_ids:
        return None
    return actions.CreateAction(
        asked.workspace_id,
        app_id,
        asked.name,
        asked.prompt or "",
        model_id=asked.model_id,
        context_ids=asked.context_ids,
        created_by=asked.created_by,
    )
