"""Experiments: what `rpc.runner.experiments.*` answers. What their runs came to is counted when it is asked for."""

import math
from datetime import UTC, datetime
from uuid import UUID

from msgspec import UNSET, structs

from libs.contracts import actions, ids
from libs.contracts.experiments import (
    CreateExperiment,
    Experiment,
    GetExperiment,
    PageExperiments,
    Results,
    Status,
    UpdateExperiment,
    Variant,
    Wanted,
)
from libs.contracts.faults import Code, Fault, not_found
from libs.contracts.paging import Page
from libs.postgres.changes import changed
from libs.postgres.database import Database
from services.runner.catalog import Catalog
from services.runner.storable import named, storable
from services.runner.store import apps, deployments
from services.runner.store import experiments as stored
from services.runner.variants import EXPERIMENT

_MOST = 20


class Experiments:
    def __init__(self, database: Database, catalog: Catalog) -> None:
        self._database, self._catalog = database, catalog

    async def create(self, asked: CreateExperiment) -> Experiment:
        """It runs at once. Raises Fault NOT_FOUND for an app, action or version that is none, INVALID for variants that
        are fewer than two, or the same.
        """
        named(asked.name)
        asked, id, now = storable(asked), asked.id or ids.new(), datetime.now(UTC)
        if asked.app_id is not None and await apps.get(self._database, asked.workspace_id, asked.app_id) is None:
            raise not_found("app", asked.app_id)
        variants = await self._variants(asked.workspace_id, id, asked.variants)
        made = Experiment(
            id, asked.workspace_id, asked.app_id, asked.name, Status.RUNNING, variants, asked.created_by, now, now
        )
        async with self._catalog.changing() as connection:
            await stored.TABLE.insert(connection, made)
            await changed(connection, EXPERIMENT, str(id))
        return await self.get(GetExperiment(asked.workspace_id, id))

    async def get(self, asked: GetExperiment) -> Experiment:
        return await stored.TABLE.get(self._database, asked.workspace_id, asked.experiment_id)

    async def page(self, asked: PageExperiments) -> Page[Experiment]:
        return await stored.TABLE.page(self._database, asked.workspace_id, asked.slice)

    async def update(self, asked: UpdateExperiment) -> Experiment:
        """Raises Fault as `create` does."""
        named(asked.name)
        asked = storable(asked)
        changes: dict[str, object] = {"name": asked.name, "status": asked.status, "variants": UNSET}
        if asked.variants is not UNSET:
            changes["variants"] = await self._variants(asked.workspace_id, asked.experiment_id, asked.variants)
        given = {name: value for name, value in changes.items() if value is not UNSET}
        async with self._catalog.changing() as connection:
            before = await stored.TABLE.lock(connection, asked.workspace_id, asked.experiment_id)
            await stored.TABLE.replace(connection, structs.replace(before, **given))
            await changed(connection, EXPERIMENT, str(before.id))
        return await self.get(GetExperiment(asked.workspace_id, asked.experiment_id))

    async def delete(self, asked: GetExperiment) -> Experiment:
        """The experiment as it was; its runs stay."""
        experiment = await self.get(asked)
        async with self._catalog.changing() as connection:
            await stored.TABLE.delete(connection, asked.workspace_id, experiment.id)
            await changed(connection, EXPERIMENT, str(experiment.id))
        return experiment

    async def results(self, asked: GetExperiment) -> Results:
        experiment = await self.get(asked)
        return Results(experiment, await stored.results(self._database, asked.workspace_id, experiment.id))

    async def _variants(self, workspace_id: UUID, id: UUID, wanted: list[Wanted]) -> list[Variant]:
        if not 2 <= len(wanted) <= _MOST:
            raise Fault(Code.INVALID, f"An experiment has from 2 to {_MOST} variants.", field="variants")
        variants = [await self._variant(workspace_id, id, one) for one in wanted]
        if len({variant.id for variant in variants}) < len(variants):
            raise Fault(Code.INVALID, "Two variants are the same action in the same version.", field="variants")
        return variants

    async def _variant(self, workspace_id: UUID, id: UUID, wanted: Wanted) -> Variant:
        if not (math.isfinite(wanted.weight) and wanted.weight > 0):
            raise Fault(Code.INVALID, "A variant's weight is a number over 0.", field="variants.weight")
        action_id = (await self._catalog.action(workspace_id, wanted.action_id)).id
        version_id = number = None
        if wanted.version_id is not None or wanted.number is not None:
            asked = actions.DeployVersion(workspace_id, action_id, "", wanted.version_id, wanted.number)
            version = await deployments.found(self._database, asked)
            version_id, number = version.id, version.version
        own = ids.named(id, f"{action_id} {version_id}")
        return Variant(own, action_id, version_id, number, wanted.weight)
