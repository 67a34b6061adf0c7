"""Apps. What an app is made of besides its name is its default action's."""

from collections import Counter
from collections.abc import Sequence
from uuid import UUID

from msgspec import UNSET, UnsetType

from libs.contracts import actions, apps, ids, models
from libs.contracts.faults import not_found
from services.gateway.dialects.llmstack import wire
from services.gateway.directory.callers import Caller
from services.gateway.http import params


def create(caller: Caller, body: wire.CreateApp, known: Sequence[models.Model]) -> apps.CreateApp:
    """`known` are the workspace's models. Raises Fault NOT_FOUND for another one."""
    return apps.CreateApp(
        workspace_id=caller.workspace_id,
        name=body.name,
        description=body.description or "",
        created_by=caller.account_id,
        prompt=body.prompt,
        model_id=_model(body.model, known),
        context_ids=_contexts(body.datasources or []),
    )


def update(asked: apps.GetApp, body: wire.UpdateApp, known: Sequence[models.Model]) -> apps.UpdateApp:
    """Raises Fault as `create` does."""
    return apps.UpdateApp(
        workspace_id=asked.workspace_id,
        app_id=asked.app_id,
        name=body.name,
        description=body.description,
        prompt=body.prompt,
        model_id=UNSET if isinstance(body.model, UnsetType) else _model(body.model, known),
        context_ids=UNSET if isinstance(body.datasources, UnsetType) else _contexts(body.datasources),
    )


def _model(text: str | None, known: Sequence[models.Model]) -> UUID | None:
    """By id, by the provider's name of it, or by its own."""
    if not text:
        return None
    id = ids.parse(text)
    found = next((model for model in known if model.id == id or text in (model.llm, model.nickname)), None)
    if found is None:
        raise not_found("model", params.shown(text), field="model")
    return found.id


def _contexts(texts: list[str]) -> list[UUID]:
    return [params.guid(text, "datasource", field=f"datasources[{place}]") for place, text in enumerate(texts)]


def reply(app: apps.App, action: actions.Action | None, known: Sequence[models.Model]) -> wire.App:
    return wire.App(
        uuid=str(app.id),
        name=app.name,
        description=app.description,
        prompt=action.prompt if action else None,
        model=_spelled(action.model_id, known) if action and action.model_id else None,
        datasources=[str(id) for id in action.context_ids] if action else [],
        created_at=app.created_at,
        updated_at=app.updated_at,
    )


def _spelled(id: UUID, known: Sequence[models.Model]) -> str:
    """A model's name where no other has it: what is told can be sent back."""
    names = Counter(model.llm for model in known)
    llm = next((model.llm for model in known if model.id == id), "")
    return llm if names[llm] == 1 else str(id)
