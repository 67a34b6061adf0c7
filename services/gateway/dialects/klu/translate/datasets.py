"""Datasets."""

from uuid import UUID

from libs.contracts import datasets
from services.gateway.dialects.klu import wire
from services.gateway.dialects.klu.translate import values
from services.gateway.directory.callers import Caller
from services.gateway.http import params


def create(caller: Caller, body: wire.datasets.CreateDataset) -> datasets.CreateDataset:
    return datasets.CreateDataset(
        workspace_id=caller.workspace_id,
        name=body.name,
        description=body.description or "",
        app_id=values.reference(body.app, "app"),
        run_ids=points(body.data or []),
        created_by=caller.account_id,
    )


def update(asked: datasets.GetDataset, body: wire.datasets.UpdateDataset) -> datasets.UpdateDataset:
    return datasets.UpdateDataset(
        asked.workspace_id,
        asked.dataset_id,
        name=values.kept(body.name),
        description=values.kept(body.description),
    )


def points(guids: list[str]) -> list[UUID]:
    return [params.guid(text, "data point", field=f"data[{place}]") for place, text in enumerate(guids)]


def reply(dataset: datasets.Dataset) -> wire.datasets.Dataset:
    creator = values.spelled(dataset.created_by)
    return wire.datasets.Dataset(
        guid=str(dataset.id),
        name=dataset.name,
        description=dataset.description,
        app=values.spelled(dataset.app_id),
        created_by=creator,
        created_by_id=creator,
        created_at=dataset.created_at,
        updated_at=dataset.updated_at,
    )
