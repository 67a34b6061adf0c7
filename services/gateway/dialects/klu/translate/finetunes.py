"""Fine-tunes."""

from libs.contracts import finetunes
from services.gateway.dialects.klu import wire
from services.gateway.dialects.klu.translate import values
from services.gateway.directory.callers import Caller


def create(caller: Caller, body: wire.finetunes.CreateFinetune) -> finetunes.CreateFinetune:
    return finetunes.CreateFinetune(
        workspace_id=caller.workspace_id,
        name=body.name,
        dataset_id=values.required(body.dataset or body.dataset_id, "dataset"),
        provider_id=values.reference(body.provider, "provider"),
        base_model=body.base_model or "",
        created_by=caller.account_id,
    )


def update(asked: finetunes.GetFinetune, body: wire.finetunes.UpdateFinetune) -> finetunes.UpdateFinetune:
    return finetunes.UpdateFinetune(
        asked.workspace_id,
        asked.finetune_id,
        name=values.kept(body.name),
        finetuned=values.kept(body.openai_finetune_name),
    )


def process(caller: Caller, body: wire.finetunes.ProcessFinetune) -> finetunes.ProcessFinetune:
    finetune_id = values.required(body.lower or body.camel, "finetuneguid")
    return finetunes.ProcessFinetune(caller.workspace_id, finetune_id, body.base_model or "")


def reply(finetune: finetunes.Finetune) -> wire.finetunes.Finetune:
    return wire.finetunes.Finetune(
        id=str(finetune.id),
        guid=str(finetune.id),
        name=finetune.name,
        dataset_id=str(finetune.dataset_id),
        base_model=finetune.base_model,
        provider=values.spelled(finetune.provider_id),
        status=finetune.status,
        openai_finetune_name=finetune.finetuned or None,
        model=values.spelled(finetune.model_id),
        error=finetune.error or None,
        created_by_id=values.spelled(finetune.created_by),
        created_at=finetune.created_at,
        updated_at=finetune.updated_at,
    )


def status(finetune: finetunes.Finetune) -> wire.finetunes.Status:
    return wire.finetunes.Status(finetune.status, finetune.finetuned or None, finetune.error or None)
