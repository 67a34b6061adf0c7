"""What may stand as `model`: the workspace's actions, its providers' models, and the model of embeddings."""

from collections.abc import Iterable

from libs.contracts import actions, models
from libs.contracts.faults import Fault, not_found
from services.gateway.dialects.openai import wire
from services.gateway.http import params

_OWNER = "polyvox"


def listed(found: Iterable[actions.Action], served: Iterable[models.Model], embedding: str) -> wire.models.Models:
    """An action stands under its name, and under its guid where another one has the name before it."""
    known: dict[str, wire.models.Model] = {}
    for each in found:
        told = action(each, each.name if each.name and each.name not in known else str(each.id))
        known[told.id] = told
    for each in served:
        told = model(each)
        known.setdefault(told.id, told)
    if embedding:
        known.setdefault(embedding, embeddings(embedding))
    return wire.models.Models(list(known.values()))


def action(action: actions.Action, name: str) -> wire.models.Model:
    created = int(action.created_at.timestamp())
    return wire.models.Model(id=name, created=created, owned_by=_OWNER, guid=str(action.id))


def model(model: models.Model) -> wire.models.Model:
    created = int(model.created_at.timestamp())
    return wire.models.Model(id=name(model), created=created, owned_by=model.provider.name)


def embeddings(name: str) -> wire.models.Model:
    return wire.models.Model(id=name, created=0, owned_by=_OWNER)


def name(model: models.Model) -> str:
    return f"{model.provider.name}/{model.llm}"


def parted(name: str) -> tuple[str, str] | None:
    """Provider and model; None where the name is no such pair."""
    provider, slash, llm = name.partition("/")
    return (provider, llm) if slash and provider and llm else None


def unknown(name: str) -> Fault:
    return not_found("model", repr(params.shown(name)), field="model")
