"""Models: what `rpc.runner.models.*` answers. The installation's are for everyone to use and for nobody to change."""

from uuid import UUID

import msgspec
from msgspec import UNSET

from libs.contracts import ids
from libs.contracts.faults import Code, Fault, not_found
from libs.contracts.models import (
    CreateModel,
    CreateProvider,
    FindModel,
    GetModel,
    Model,
    PageModels,
    UpdateModel,
    UpdateProvider,
)
from libs.contracts.paging import Page
from libs.postgres.changes import changed
from libs.postgres.database import Connection, Database
from services.runner.catalog import DEFAULT, MODEL, Catalog
from services.runner.providers import presets
from services.runner.storable import named, storable
from services.runner.store import models as stored
from services.runner.vendors import Vendors


class Models:
    def __init__(self, database: Database, catalog: Catalog, vendors: Vendors) -> None:
        self._database, self._catalog, self._vendors = database, catalog, vendors

    async def create(self, asked: CreateModel) -> Model:
        """With its provider, where that is new. Raises Fault INVALID as providers.create does."""
        asked, id = storable(asked), asked.id or ids.new()
        named(asked.llm, "llm")
        named(asked.provider, "provider")
        window = asked.context_window or presets.context_window(asked.llm)
        asked = msgspec.structs.replace(asked, context_window=_window(window))
        vendor = CreateProvider(
            asked.workspace_id,
            asked.provider,
            asked.key,
            asked.url,
            created_by=asked.created_by,
            id=ids.derived(id, 1),
        )
        if asked.id is not None and (made := await stored.get(self._database, asked.workspace_id, id)) is not None:
            return await self._told(asked.workspace_id, made)
        async with self._catalog.changing() as connection:
            provider_id = await self._vendors.found_or_made(connection, vendor)
            await stored.choosing(connection, asked.workspace_id)
            if asked.default:
                await stored.yield_default(connection, asked.workspace_id)
            await stored.put(connection, asked, id, provider_id)
            await _has_changed(connection, asked.workspace_id, id)
        return await self.get(GetModel(asked.workspace_id, id))

    async def get(self, asked: GetModel) -> Model:
        """The one that answers where none is named, without an id."""
        id = asked.model_id or await self._catalog.default(asked.workspace_id)
        model = await stored.get(self._database, asked.workspace_id, id)
        if model is None:
            raise not_found("model", id)
        return await self._told(asked.workspace_id, model)

    async def find(self, asked: FindModel) -> Model:
        model = await stored.find(self._database, storable(asked))
        if model is None:
            raise not_found("model", f"{asked.provider}/{asked.llm}")
        return await self._told(asked.workspace_id, model)

    async def page(self, asked: PageModels) -> Page[Model]:
        page = await stored.page(self._database, asked)
        return Page([await self._told(asked.workspace_id, model) for model in page.items], page.total)

    async def _told(self, workspace_id: UUID, model: Model) -> Model:
        """Which one answers where none is named is known here alone: it need not be called the default anywhere."""
        return msgspec.structs.replace(model, default=model.id == await self._catalog.default(workspace_id))

    async def update(self, asked: UpdateModel) -> Model:
        """With its provider's key and address. Raises Fault INVALID as providers.update does: then nothing changes."""
        asked = storable(asked)
        named(asked.llm, "llm")
        if asked.context_window is not UNSET:
            _window(asked.context_window)
        model = await self._own(GetModel(asked.workspace_id, asked.model_id))
        async with self._catalog.changing() as connection:
            if asked.key is not UNSET or asked.url is not UNSET:
                vendor = UpdateProvider(asked.workspace_id, model.provider.id, key=asked.key, url=asked.url)
                await self._vendors.renew(connection, vendor)
            if asked.default is True:
                await stored.choosing(connection, asked.workspace_id)
                await stored.yield_default(connection, asked.workspace_id)
            await stored.update(connection, asked)
            await _has_changed(connection, asked.workspace_id, asked.model_id)
        return await self.get(GetModel(asked.workspace_id, asked.model_id))

    async def delete(self, asked: GetModel) -> Model:
        """The model as it was."""
        model = await self._own(asked)
        async with self._catalog.changing() as connection:
            await stored.delete(connection, model.id)
            await _has_changed(connection, asked.workspace_id, model.id)
        return model

    async def _own(self, asked: GetModel) -> Model:
        model = await self.get(asked)
        if model.workspace_id is None:
            raise Fault(Code.FORBIDDEN, f"The model {model.llm} belongs to the installation: it can't be changed here.")
        return model


def _window(tokens: int) -> int:
    if not 256 <= tokens <= 100_000_000:
        raise Fault(Code.INVALID, "A context window has from 256 to 100,000,000 tokens.", field="context_window")
    return tokens


async def _has_changed(connection: Connection, workspace_id: UUID, id: UUID) -> None:
    await changed(connection, MODEL, str(id))
    await changed(connection, DEFAULT, str(workspace_id))
