"""What runs are made of, cached ready to use: actions with their templates parsed, models and tools with their secrets
opened.
"""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from uuid import UUID

import asyncpg
from msgspec import Struct

from libs.contracts import ids
from libs.contracts.apps import App
from libs.contracts.faults import Code, Fault, not_found
from libs.contracts.models import Price
from libs.postgres.changes import Changes
from libs.postgres.database import Connection, Database
from services.runner.keys import Keys
from services.runner.prices import Prices
from services.runner.prompting.prompts import Prompting, Scripted
from services.runner.providers import presets
from services.runner.providers.call import Endpoint
from services.runner.store import actions, apps, models, tools
from services.runner.store.models import Candidates
from services.runner.tools.ready import Ready

# Kinds of changes, which whoever writes such a row states. What may be a workspace's default model, and the names of
# its actions with its default app, are cached under its id.
ACTION, APP, NAMES, MODEL, DEFAULT = "runner.action", "runner.app", "runner.names", "runner.model", "runner.default"
TOOL = "runner.tool"
INSTALLATION = "installation"


class ReadyModel(Struct, frozen=True):
    id: UUID
    workspace_id: UUID | None
    context_window: int
    endpoint: Endpoint
    price: Price | None
    sees_images: bool = False
    calls_tools: bool = True


class Names(Struct, frozen=True):
    """What a workspace calls its actions, the oldest first, and the app that answers where none is named."""

    actions: dict[str, UUID] = {}
    app_id: UUID | None = None


class Catalog:
    """The caches of one process. Raises Fault UNAVAILABLE while the database is away."""

    def __init__(
        self, database: Database, changes: Changes, prompting: Prompting, keys: Keys, *, prices: Prices
    ) -> None:
        self._database, self._changes, self._prompting, self._keys = database, changes, prompting, keys
        self._prices = prices
        self._actions = changes.cache(ACTION, self._load_action)
        self._names = changes.cache(NAMES, self._load_names)
        self._apps = changes.cache(APP, self._load_app)
        self._models = changes.cache(MODEL, self._load_model)
        self._candidates = changes.cache(DEFAULT, self._load_candidates)
        self._tools = changes.cache(TOOL, self._load_tool)

    @asynccontextmanager
    async def changing(self) -> AsyncGenerator[Connection]:
        """A transaction that changes what is cached: over once this process has forgotten it. Raises Fault NOT_FOUND
        where what the change belongs to was deleted meanwhile.
        """
        try:
            async with self._database.transaction() as connection:
                yield connection
        except asyncpg.ForeignKeyViolationError as gone:
            raise Fault(Code.NOT_FOUND, "What this belongs to was deleted meanwhile.") from gone
        await self._changes.read()

    async def action(self, workspace_id: UUID, id: UUID) -> Scripted:
        """The action of that id, or the default one of the app of that id.

        Raises Fault NOT_FOUND, and INVALID for an app without an action.
        """
        scripted = await self._actions.get(str(id)) or await self._default(workspace_id, id)
        if scripted is None or scripted.action.workspace_id != workspace_id:
            raise not_found("action", id)
        return scripted

    async def named(self, workspace_id: UUID, name: str) -> Scripted:
        """The action of that name or id, or the first one where none is named. Raises Fault NOT_FOUND."""
        names = (await self._names.get(str(workspace_id)) or Names()).actions
        id = names.get(name) or ids.parse(name) if name else next(iter(names.values()), None)
        if id is None:
            raise (
                not_found("action", repr(name)) if name else Fault(Code.NOT_FOUND, "There is no action yet: make one.")
            )
        return await self.action(workspace_id, id)

    async def default_app(self, workspace_id: UUID) -> App:
        """Raises Fault NOT_FOUND where there is no app with an action."""
        names = await self._names.get(str(workspace_id)) or Names()
        app = names.app_id and await self._apps.get(str(names.app_id))
        if not app:
            raise Fault(Code.NOT_FOUND, "There is no app with an action yet: make one.")
        return app

    async def _default(self, workspace_id: UUID, app_id: UUID) -> Scripted | None:
        app = await self._apps.get(str(app_id))
        if app is None or app.workspace_id != workspace_id:
            return None
        if app.default_action_id is None:
            raise Fault(Code.INVALID, "This app has no action to run: give it a prompt.")
        return await self._actions.get(str(app.default_action_id))

    async def model(self, workspace_id: UUID, id: UUID | None) -> ReadyModel:
        """The model of that id, or the one that the workspace goes by where none is named."""
        chosen = id or await self.default(workspace_id)
        model = await self._models.get(str(chosen))
        if model is None or model.workspace_id not in (workspace_id, None):
            raise not_found("model", chosen)
        return model

    async def tools(self, workspace_id: UUID, ids: list[UUID]) -> list[Ready]:
        """Those of the tools that there are: one that was deleted is offered no more."""
        found = [await self._tools.get(str(id)) for id in ids]
        return [ready for ready in found if ready is not None and ready.tool.workspace_id in (workspace_id, None)]

    async def default(self, workspace_id: UUID) -> UUID:
        """The workspace's default model, else the installation's; where that has none, the workspace's oldest. Raises
        Fault NOT_FOUND where neither has any.
        """
        own, installed = await self._candidates.get(str(workspace_id)), await self._candidates.get(INSTALLATION)
        assert own is not None
        assert installed is not None
        chosen = own.default or installed.default or own.oldest
        if chosen is None:
            raise Fault(Code.NOT_FOUND, "There is no model in this workspace: add one, or name one in the action.")
        return chosen

    async def _load_action(self, id: str) -> Scripted | None:
        action = await actions.of_any_workspace(self._database, UUID(id))
        return action and await self._prompting.script(action)

    async def _load_names(self, workspace_id: str) -> Names:
        """The oldest is the one that keeps a name two have."""
        names: dict[str, UUID] = {}
        for id, name in await actions.names(self._database, UUID(workspace_id)):
            names.setdefault(name, id)
        return Names(names, await apps.default(self._database, UUID(workspace_id)))

    async def _load_app(self, id: str) -> App | None:
        return await apps.of_any_workspace(self._database, UUID(id))

    async def _load_model(self, id: str) -> ReadyModel | None:
        found = await models.of_any_workspace(self._database, UUID(id))
        if found is None:
            return None
        model, provider = found.model, found.model.provider
        key = self._keys.open(provider.id, found.sealed_key)
        guarded = provider.workspace_id is not None
        endpoint = Endpoint(provider.kind, provider.name, provider.url, key, model.llm, guarded)
        price = model.price or self._prices.find(endpoint)
        sees = presets.sees_images(model.llm) if model.sees_images is None else model.sees_images
        calls = presets.calls_tools(model.llm) if model.calls_tools is None else model.calls_tools
        return ReadyModel(model.id, model.workspace_id, model.context_window, endpoint, price, sees, calls)

    async def _load_tool(self, id: str) -> Ready | None:
        found = await tools.of_any_workspace(self._database, UUID(id))
        return found and Ready(found.tool, self._keys.open_headers(found.tool.id, found.sealed_headers))

    async def _load_candidates(self, workspace_id: str) -> Candidates:
        return await models.candidates(self._database, None if workspace_id == INSTALLATION else UUID(workspace_id))
