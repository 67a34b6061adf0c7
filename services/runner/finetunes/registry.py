"""Fine-tunes: what `rpc.runner.finetunes.*` answers. The work itself is done in the background (`working`)."""

import logging
from datetime import UTC, datetime
from uuid import UUID

from msgspec import UNSET, structs

from libs.contracts import ids
from libs.contracts.faults import Code, Fault, not_found
from libs.contracts.finetunes import (
    CREATED,
    CreateFinetune,
    Finetune,
    GetFinetune,
    PageFinetunes,
    ProcessFinetune,
    UpdateFinetune,
)
from libs.contracts.paging import Page
from libs.postgres.database import Database
from services.runner.finetunes.endpoint import Refused
from services.runner.finetunes.working import ENDED, TOPIC, Endpoints
from services.runner.storable import named, storable
from services.runner.store import datasets, providers
from services.runner.store import finetunes as stored

log = logging.getLogger(__name__)


class Finetunes:
    def __init__(self, database: Database, endpoints: Endpoints) -> None:
        self._database, self._endpoints = database, endpoints

    async def create(self, asked: CreateFinetune) -> Finetune:
        """Raises Fault NOT_FOUND for a dataset or provider that is none of the workspace's own."""
        named(asked.name)
        asked, id, now = storable(asked), asked.id or ids.new(), datetime.now(UTC)
        await datasets.TABLE.get(self._database, asked.workspace_id, asked.dataset_id)
        if asked.provider_id is not None:
            await self._provider(asked.workspace_id, asked.provider_id)
        made = Finetune(
            id=id,
            workspace_id=asked.workspace_id,
            name=asked.name,
            dataset_id=asked.dataset_id,
            provider_id=asked.provider_id,
            base_model=asked.base_model,
            status=CREATED,
            job="",
            finetuned="",
            model_id=None,
            error="",
            created_by=asked.created_by,
            created_at=now,
            updated_at=now,
        )
        await stored.TABLE.insert(self._database, made)
        return await self.get(GetFinetune(asked.workspace_id, id))

    async def get(self, asked: GetFinetune) -> Finetune:
        return await stored.TABLE.get(self._database, asked.workspace_id, asked.finetune_id)

    async def page(self, asked: PageFinetunes) -> Page[Finetune]:
        return await stored.TABLE.page(self._database, asked.workspace_id, asked.slice)

    async def update(self, asked: UpdateFinetune) -> Finetune:
        named(asked.name)
        asked = storable(asked)
        changes = {name: value for name in ("name", "finetuned") if (value := getattr(asked, name)) is not UNSET}
        async with self._database.transaction() as connection:
            before = await stored.TABLE.lock(connection, asked.workspace_id, asked.finetune_id)
            await stored.TABLE.replace(connection, structs.replace(before, **changes))
        return await self.get(GetFinetune(asked.workspace_id, asked.finetune_id))

    async def process(self, asked: ProcessFinetune) -> Finetune:
        """Raises Fault INVALID without a base model or a provider, CONFLICT while the training goes on."""
        asked = storable(asked)
        ref = GetFinetune(asked.workspace_id, asked.finetune_id)
        before = await self.get(ref)
        base_model = asked.base_model.strip() or before.base_model
        if not base_model:
            raise Fault(Code.INVALID, "Name the model that is to be trained.", field="baseModel")
        provider_id = await self._provider(asked.workspace_id, before.provider_id)
        async with self._database.transaction() as connection:
            if not await stored.begin(connection, before.id, provider_id=provider_id, base_model=base_model):
                raise Fault(Code.CONFLICT, "This fine-tune goes on: process it again once it has ended.")
            connection.wake_after(TOPIC)
        return await self.get(ref)

    async def delete(self, asked: GetFinetune) -> Finetune:
        """The fine-tune as it was. A job that goes on is cancelled at the provider, where that lets itself be asked."""
        finetune = await self.get(asked)
        await stored.TABLE.delete(self._database, asked.workspace_id, finetune.id)
        if finetune.job and finetune.status not in ENDED and finetune.provider_id:
            try:
                await (await self._endpoints.of(finetune.provider_id, finetune.workspace_id)).cancel(finetune.job)
            except (Fault, Refused) as refused:
                log.warning("A job of a deleted fine-tune may go on", extra={"error": str(refused)})
        return finetune

    async def _provider(self, workspace_id: UUID, id: UUID | None) -> UUID:
        """One of the workspace's own: what trains costs whose key it is."""
        chosen = id or await stored.provider(self._database, workspace_id)
        if chosen is None:
            raise Fault(Code.INVALID, "Fine-tuning asks a provider of the workspace's own: add one.", field="provider")
        found = await providers.get(self._database, workspace_id, chosen)
        if found is None or found.workspace_id is None:
            raise not_found("provider", chosen)
        if found.kind != "openai":
            raise Fault(Code.INVALID, f"{found.name} does not speak OpenAI's protocol.", field="provider")
        return found.id
