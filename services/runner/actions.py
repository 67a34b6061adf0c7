"""Actions: what `rpc.runner.actions.*` answers. Every change is a new version; what would not run is refused here."""

from uuid import UUID

import msgspec
from msgspec import UNSET

from libs.bus.bus import Bus
from libs.contracts import contexts, ids
from libs.contracts.actions import (
    Action,
    ActionsOf,
    CreateAction,
    FindAction,
    GetAction,
    PageActions,
    Parameters,
    UpdateAction,
)
from libs.contracts.faults import not_found
from libs.contracts.paging import Page
from libs.postgres.changes import changed
from libs.postgres.database import Connection, Database
from services.runner.catalog import ACTION, APP, NAMES, Catalog
from services.runner.prompting import formats, parameters
from services.runner.prompting.prompts import Prompting
from services.runner.prompting.schemas import Schemas
from services.runner.storable import named, storable
from services.runner.store import actions as stored
from services.runner.store import apps
from services.runner.tools.ready import different


class Actions:
    def __init__(
        self, database: Database, bus: Bus, catalog: Catalog, prompting: Prompting, *, schemas: Schemas
    ) -> None:
        self._database, self._bus, self._catalog, self._prompting = database, bus, catalog, prompting
        self._schemas = schemas

    async def create(self, asked: CreateAction) -> Action:
        """Raises Fault NOT_FOUND for an unknown app, model, context or tool, INVALID for a template or parameter."""
        asked, id = storable(asked), asked.id or ids.new()
        if await apps.get(self._database, asked.workspace_id, asked.app_id) is None:
            raise not_found("app", asked.app_id)
        await self.check(asked)
        async with self._catalog.changing() as connection:
            await self.make(connection, id, asked)
        return await self.get(GetAction(asked.workspace_id, id))

    async def make(self, connection: Connection, id: UUID, asked: CreateAction) -> None:
        """Within a transaction of the catalog's, once it is checked."""
        if await stored.create(connection, id, asked):
            await apps.adopt(connection, asked.app_id, id)
            await _changed(connection, asked.workspace_id, id)
            await changed(connection, APP, str(asked.app_id))

    async def get(self, asked: GetAction) -> Action:
        action = await stored.get(self._database, asked.workspace_id, asked.action_id)
        if action is None:
            raise not_found("action", asked.action_id)
        return action

    async def find(self, asked: FindAction) -> Action:
        return (await self._catalog.named(asked.workspace_id, asked.name)).action

    async def page(self, asked: PageActions) -> Page[Action]:
        return await stored.page(self._database, asked)

    async def of(self, asked: ActionsOf) -> list[Action]:
        return await stored.of(self._database, asked)

    async def update(self, asked: UpdateAction) -> Action:
        """Raises Fault as `create` does."""
        asked = storable(asked)
        changes, before = _changes(asked), await self.get(_ref(asked))
        await self.check(msgspec.structs.replace(before, **changes), before)
        async with self._catalog.changing() as connection:
            action = await stored.lock(connection, asked.workspace_id, asked.action_id)
            if action is None:
                raise not_found("action", asked.action_id)
            await stored.renew(connection, msgspec.structs.replace(action, **changes), by=asked.updated_by)
            await _changed(connection, asked.workspace_id, action.id)
        return await self.get(_ref(asked))

    async def delete(self, asked: GetAction) -> Action:
        """The action as it was."""
        action = await self.get(asked)
        async with self._catalog.changing() as connection:
            await apps.disown(connection, action.app_id, action.id)
            await stored.delete(connection, action.id)
            await _changed(connection, asked.workspace_id, action.id)
            await changed(connection, APP, str(action.app_id))
        return action

    async def check(self, action: CreateAction | Action, before: Action | None = None) -> None:
        """Raises Fault for what would not run. What was deleted since it was named `before` is in nobody's way."""
        named(action.name)
        await self._check_parameters(action.parameters)
        await self._prompting.check(action)
        if action.model_id is not None and (before is None or action.model_id != before.model_id):
            await self._catalog.model(action.workspace_id, action.model_id)
        await self._check_tools(action, before.tool_ids if before else [])
        await self._check_contexts(action, before.context_ids if before else [])

    async def _check_parameters(self, given: Parameters) -> None:
        parameters.check(given)
        if given.response_format and (schema := formats.check(given.response_format)) is not None:
            await self._schemas.check(schema, "parameters.response_format")

    async def _check_tools(self, action: CreateAction | Action, before: list[UUID]) -> None:
        known = await self._catalog.tools(action.workspace_id, action.tool_ids)
        different([ready.tool.name for ready in known])
        if missing := set(action.tool_ids) - {ready.tool.id for ready in known} - set(before):
            raise not_found("tool", min(missing))

    async def _check_contexts(self, action: CreateAction | Action, before: list[UUID]) -> None:
        new = [id for id in action.context_ids if id not in before]
        if not new:
            return
        known = await self._bus.call(contexts.REVISIONS, contexts.GetRevisions(action.workspace_id, new))
        if unknown := [id for id in new if id not in known]:
            raise not_found("context", unknown[0])


async def _changed(connection: Connection, workspace_id: UUID, id: UUID) -> None:
    await changed(connection, ACTION, str(id))
    await changed(connection, NAMES, str(workspace_id))


def _ref(asked: UpdateAction) -> GetAction:
    return GetAction(asked.workspace_id, asked.action_id)


def _changes(asked: UpdateAction) -> dict[str, object]:
    """The fields of the action that are given."""
    changeable = set(asked.__struct_fields__) - {"workspace_id", "action_id", "updated_by"}
    fields = {name: getattr(asked, name) for name in changeable}
    return {name: value for name, value in fields.items() if value is not UNSET}
