"""Fine-tunes: models that are trained further on a dataset, by a provider's fine-tuning endpoint.

Owner: runner, which uploads the dataset, begins the job, and asks how it stands until it has ended. A model that comes
of it becomes a model of the workspace.
"""

from datetime import datetime
from uuid import UUID

from msgspec import UNSET, Struct, UnsetType

from libs.contracts.paging import Page, Slice
from libs.contracts.subjects import Rpc

# Before the provider says one of its own: validating_files, queued, running, succeeded, failed, cancelled.
CREATED, UPLOADING, STARTING, FAILED, SUCCEEDED = "created", "uploading", "starting", "failed", "succeeded"


class Finetune(Struct, frozen=True):
    """`finetuned` is the provider's name of the model that came of it, `model_id` that model of the workspace's.

    Without a provider, the workspace's default one that speaks OpenAI's protocol is asked.
    """

    id: UUID
    workspace_id: UUID
    name: str
    dataset_id: UUID
    provider_id: UUID | None
    base_model: str
    status: str
    job: str
    finetuned: str
    model_id: UUID | None
    error: str
    created_by: UUID | None
    created_at: datetime
    updated_at: datetime


class CreateFinetune(Struct, frozen=True):
    workspace_id: UUID
    name: str
    dataset_id: UUID
    provider_id: UUID | None = None
    base_model: str = ""
    created_by: UUID | None = None
    id: UUID | None = None


class GetFinetune(Struct, frozen=True):
    workspace_id: UUID
    finetune_id: UUID


class PageFinetunes(Struct, frozen=True):
    workspace_id: UUID
    slice: Slice = Slice()


class UpdateFinetune(Struct, frozen=True):
    """What is UNSET stays as it is."""

    workspace_id: UUID
    finetune_id: UUID
    name: str | UnsetType = UNSET
    finetuned: str | UnsetType = UNSET


class ProcessFinetune(Struct, frozen=True):
    """Begins the training, of the base model that is named here or was before."""

    workspace_id: UUID
    finetune_id: UUID
    base_model: str = ""


CREATE = Rpc("rpc.runner.finetunes.create", CreateFinetune, Finetune)
GET = Rpc("rpc.runner.finetunes.get", GetFinetune, Finetune)
PAGE = Rpc("rpc.runner.finetunes.page", PageFinetunes, Page[Finetune])
UPDATE = Rpc("rpc.runner.finetunes.update", UpdateFinetune, Finetune)
DELETE = Rpc("rpc.runner.finetunes.delete", GetFinetune, Finetune)
PROCESS = Rpc("rpc.runner.finetunes.process", ProcessFinetune, Finetune)
