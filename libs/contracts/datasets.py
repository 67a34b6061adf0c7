"""Datasets: data points picked out to try actions on, and to train models by.

Owner: runner. A dataset holds runs by their ids: a data point that is erased is in none any more. Its data points are
listed as runs are (`runs.PAGE` with `dataset_id`), and exported as a training file: lines of JSON, each a chat.
"""

from datetime import datetime
from uuid import UUID

from msgspec import UNSET, Struct, UnsetType

from libs.contracts.paging import Page, Slice
from libs.contracts.subjects import Rpc


class Dataset(Struct, frozen=True):
    id: UUID
    workspace_id: UUID
    app_id: UUID | None
    name: str
    description: str
    created_by: UUID | None
    created_at: datetime
    updated_at: datetime


class CreateDataset(Struct, frozen=True):
    workspace_id: UUID
    name: str
    description: str = ""
    app_id: UUID | None = None
    run_ids: list[UUID] = []
    created_by: UUID | None = None
    id: UUID | None = None


class GetDataset(Struct, frozen=True):
    workspace_id: UUID
    dataset_id: UUID


class PageDatasets(Struct, frozen=True):
    workspace_id: UUID
    app_id: UUID | None = None
    slice: Slice = Slice()


class UpdateDataset(Struct, frozen=True):
    """What is UNSET stays as it is. `added` and `removed` are ids of runs; one that is there already stays once."""

    workspace_id: UUID
    dataset_id: UUID
    name: str | UnsetType = UNSET
    description: str | UnsetType = UNSET
    added: list[UUID] = []
    removed: list[UUID] = []


CREATE = Rpc("rpc.runner.datasets.create", CreateDataset, Dataset)
GET = Rpc("rpc.runner.datasets.get", GetDataset, Dataset)
PAGE = Rpc("rpc.runner.datasets.page", PageDatasets, Page[Dataset])
UPDATE = Rpc("rpc.runner.datasets.update", UpdateDataset, Dataset)
EXPORT = Rpc("rpc.runner.datasets.export", GetDataset, bytes)
DELETE = Rpc("rpc.runner.datasets.delete", GetDataset, Dataset)
