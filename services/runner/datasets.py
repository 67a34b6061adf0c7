"""Datasets: what `rpc.runner.datasets.*` answers."""

from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID

from msgspec import UNSET, structs

from libs.contracts import ids
from libs.contracts.datasets import CreateDataset, Dataset, GetDataset, PageDatasets, UpdateDataset
from libs.contracts.faults import Code, Fault, not_found
from libs.contracts.paging import Page
from libs.postgres.database import Connection, Database
from services.runner.finetunes import training
from services.runner.storable import named, storable
from services.runner.store import apps
from services.runner.store import datasets as stored

_MOST_AT_ONCE = 10_000


class Datasets:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(self, asked: CreateDataset) -> Dataset:
        """Raises Fault NOT_FOUND for an app or data point that is none."""
        named(asked.name)
        asked, id, now = storable(asked), asked.id or ids.new(), datetime.now(UTC)
        if asked.app_id is not None and await apps.get(self._database, asked.workspace_id, asked.app_id) is None:
            raise not_found("app", asked.app_id)
        made = Dataset(id, asked.workspace_id, asked.app_id, asked.name, asked.description, asked.created_by, now, now)
        async with self._database.transaction() as connection:
            if await stored.TABLE.insert(connection, made):
                await _add(connection, made, asked.run_ids)
        return await self.get(GetDataset(asked.workspace_id, id))

    async def get(self, asked: GetDataset) -> Dataset:
        return await stored.TABLE.get(self._database, asked.workspace_id, asked.dataset_id)

    async def page(self, asked: PageDatasets) -> Page[Dataset]:
        return await stored.page(self._database, asked)

    async def export(self, asked: GetDataset) -> bytes:
        """Raises Fault as `training.lines` does."""
        return await training.lines(self._database, asked)

    async def update(self, asked: UpdateDataset) -> Dataset:
        """Raises Fault as `create` does."""
        named(asked.name)
        asked = storable(asked)
        changes = {name: value for name in ("name", "description") if (value := getattr(asked, name)) is not UNSET}
        async with self._database.transaction() as connection:
            before = await stored.TABLE.lock(connection, asked.workspace_id, asked.dataset_id)
            await stored.TABLE.replace(connection, structs.replace(before, **changes))
            await stored.remove(connection, before.id, asked.removed)
            await _add(connection, before, asked.added)
        return await self.get(GetDataset(asked.workspace_id, asked.dataset_id))

    async def delete(self, asked: GetDataset) -> Dataset:
        """The dataset as it was; its data points stay."""
        dataset = await self.get(asked)
        await stored.TABLE.delete(self._database, asked.workspace_id, dataset.id)
        return dataset


async def _add(connection: Connection, dataset: Dataset, run_ids: Sequence[UUID]) -> None:
    if len(run_ids) > _MOST_AT_ONCE:
        raise Fault(Code.INVALID, f"Add {_MOST_AT_ONCE:,} data points at once, at most.", field="data")
    known = await stored.add(connection, dataset.workspace_id, dataset.id, run_ids) if run_ids else set[UUID]()
    if unknown := [id for id in run_ids if id not in known]:
        raise not_found("data point", unknown[0])
