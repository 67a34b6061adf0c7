"""Providers of a workspace: what `rpc.runner.providers.*` answers. A key comes in, and only its end is shown again."""

from uuid import UUID

import msgspec
from msgspec import UNSET

from libs.contracts import ids
from libs.contracts.faults import Code, Fault, not_found
from libs.contracts.models import CreateProvider, GetProvider, PageProviders, Provider, UpdateProvider, ValidateKey
from libs.contracts.paging import Page
from libs.egress import Egress
from libs.postgres.changes import all_changed, changed
from libs.postgres.database import Connection, Database
from services.runner.catalog import DEFAULT, MODEL, Catalog
from services.runner.keys import Keys, masked
from services.runner.providers import presets
from services.runner.storable import named, storable
from services.runner.store import providers as stored
from services.runner.store.providers import Stored


class Vendors:
    def __init__(self, database: Database, catalog: Catalog, egress: Egress, keys: Keys) -> None:
        self._database, self._catalog, self._egress, self._keys = database, catalog, egress, keys

    async def create(self, asked: CreateProvider) -> Provider:
        """Raises Fault INVALID for an unknown name without a url, a missing key, an address that may not be asked."""
        asked = storable(asked)
        if (
            asked.id is not None
            and (made := await stored.get(self._database, asked.workspace_id, asked.id)) is not None
        ):
            return made
        async with self._catalog.changing() as connection:
            id = await self._make(connection, asked)
        return await self.get(GetProvider(asked.workspace_id, id))

    async def found_or_made(self, connection: Connection, asked: CreateProvider) -> UUID:
        """The workspace's provider of that name or id; a new one where it is given another key or address."""
        for provider in await stored.named(connection, asked.workspace_id, asked.name, ids.parse(asked.name)):
            key = self._keys.open(provider.id, provider.sealed_key)
            if asked.key in ("", key) and asked.url in ("", provider.url):
                return provider.id
        if ids.parse(asked.name) is not None:
            raise not_found("provider", asked.name)
        return await self._make(connection, asked)

    async def _make(self, connection: Connection, asked: CreateProvider) -> UUID:
        named(asked.name)
        address, id = presets.address(asked.name, asked.url, asked.key), asked.id or ids.new()
        self._egress.check(address.url)
        if asked.default:
            await stored.yield_default(connection, asked.workspace_id)
        sealed = self._keys.seal(id, asked.key)
        made = Stored(
            id,
            asked.workspace_id,
            asked.name,
            address.kind,
            address.url,
            sealed,
            masked(asked.key),
            asked.default,
            asked.created_by,
        )
        await stored.put(connection, made)
        return id

    async def get(self, asked: GetProvider) -> Provider:
        provider = await stored.get(self._database, asked.workspace_id, asked.provider_id)
        if provider is None:
            raise not_found("provider", asked.provider_id)
        return provider

    async def page(self, asked: PageProviders) -> Page[Provider]:
        return await stored.page(self._database, asked)

    async def update(self, asked: UpdateProvider) -> Provider:
        asked = storable(asked)
        await self._own(GetProvider(asked.workspace_id, asked.provider_id))
        async with self._catalog.changing() as connection:
            await self.renew(connection, asked)
        return await self.get(GetProvider(asked.workspace_id, asked.provider_id))

    async def renew(self, connection: Connection, asked: UpdateProvider) -> None:
        """In a transaction of the caller's, who knows it as the workspace's own. Raises Fault INVALID, NOT_FOUND."""
        provider = await stored.lock(connection, asked.provider_id)
        if provider is None:
            raise not_found("provider", asked.provider_id)
        if asked.default is True:
            await stored.yield_default(connection, asked.workspace_id)
        await stored.put(connection, self._renewed(provider, asked))
        await _have_changed(connection, asked.workspace_id, provider.id)

    def _renewed(self, provider: Stored, asked: UpdateProvider) -> Stored:
        changes: dict[str, object] = {}
        if isinstance(asked.url, str):
            address = presets.address(provider.name, asked.url, asked.key if isinstance(asked.key, str) else "kept")
            self._egress.check(address.url)
            changes |= {"url": address.url}
        if isinstance(asked.key, str):
            changes |= {"sealed_key": self._keys.seal(provider.id, asked.key), "masked_key": masked(asked.key)}
        if asked.default is not UNSET:
            changes |= {"default": asked.default}
        return msgspec.structs.replace(provider, **changes)

    async def delete(self, asked: GetProvider) -> Provider:
        """The provider as it was; its models go with it."""
        provider = await self._own(asked)
        async with self._catalog.changing() as connection:
            await _have_changed(connection, asked.workspace_id, provider.id)
            await stored.delete(connection, provider.id)
        return provider

    async def validate(self, asked: ValidateKey) -> bool:
        """Asks the provider for its models. Raises Fault NOT_FOUND for a provider that nobody knows, UPSTREAM for one
        that answers with neither a list nor a refusal.
        """
        asked = storable(asked)
        name, kind, address = await self._place(asked)
        url, headers = presets.listing(kind, address, asked.key)
        answer = await self._egress.request("GET", url, headers=headers, schemes=("https", "http"))
        if answer.status in (401, 403):
            return False
        if answer.status != 200:
            raise Fault(Code.UPSTREAM, f"{name} answered {answer.status}.")
        if not presets.is_listing(answer.body):
            raise Fault(Code.UPSTREAM, f"{name} answered with something else than a list of models.")
        return True

    async def _place(self, asked: ValidateKey) -> tuple[str, str, str]:
        """Name, kind and address."""
        async with self._database.acquire() as connection:
            own = await stored.named(connection, asked.workspace_id, asked.provider, ids.parse(asked.provider))
        if own:
            return own[0].name, own[0].kind, own[0].url
        try:
            address = presets.address(asked.provider, "", asked.key or "none")
        except Fault:
            raise not_found("provider", repr(asked.provider)) from None
        return asked.provider, address.kind, address.url

    async def _own(self, asked: GetProvider) -> Provider:
        provider = await self.get(asked)
        if provider.workspace_id is None:
            message = f"The provider {provider.name} belongs to the installation: it can't be changed here."
            raise Fault(Code.FORBIDDEN, message)
        return provider


async def _have_changed(connection: Connection, workspace_id: UUID, provider_id: UUID) -> None:
    models = await stored.models_of(connection, provider_id)
    await all_changed(connection, MODEL, [str(model_id) for model_id in models])
    await changed(connection, DEFAULT, str(workspace_id))
