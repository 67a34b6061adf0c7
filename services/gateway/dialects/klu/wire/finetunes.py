"""Fine-tunes. The SDKs write the key of what is to be processed in two ways."""

from datetime import datetime

from msgspec import Struct, field

from services.gateway.dialects.klu.wire.pages import CAMEL


class CreateFinetune(Struct, frozen=True, kw_only=True):
    """`provider`: the guid of one of the workspace's own."""

    name: str
    dataset: str | None = None
    dataset_id: str | None = field(default=None, name="datasetId")
    provider: str | None = None
    base_model: str | None = field(default=None, name="baseModel")


class UpdateFinetune(Struct, frozen=True, kw_only=True):
    name: str | None = None
    openai_finetune_name: str | None = None


class ProcessFinetune(Struct, frozen=True, kw_only=True):
    base_model: str | None = field(default=None, name="baseModel")
    lower: str | None = field(default=None, name="finetuneguid")
    camel: str | None = field(default=None, name="finetuneGuid")


class Finetune(
    Struct, frozen=True, kw_only=True, rename=CAMEL | {"dataset_id": "datasetId", "base_model": "baseModel"}
):
    """`model` is the workspace's, once there is one."""

    id: str
    guid: str
    name: str
    dataset_id: str
    base_model: str
    provider: str | None
    status: str
    openai_finetune_name: str | None
    model: str | None
    error: str | None
    created_by_id: str | None
    created_at: datetime
    updated_at: datetime


class Status(Struct, frozen=True):
    status: str
    openai_finetune_name: str | None
    error: str | None
