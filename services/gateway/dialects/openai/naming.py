"""What `model` names: an action by its name or guid, or a provider's model as `provider/model`."""

from aiohttp import web

from libs.contracts import actions, models
from libs.contracts.faults import Code, Fault
from services.gateway.dialects.openai import translate
from services.gateway.engine import perhaps
from services.gateway.http.voices import CALLER


async def target(request: web.Request, name: str) -> actions.Action | models.Model:
    """Raises Fault INVALID where none is named, NOT_FOUND where nothing has the name."""
    if not name:
        raise Fault(Code.INVALID, "Name a model: an action, or a provider's as provider/model.", field="model")
    found = await _action(request, name) or await _model(request, name)
    if found is None:
        raise translate.models.unknown(name)
    return found


async def _action(request: web.Request, name: str) -> actions.Action | None:
    return await perhaps(request, actions.FIND, actions.FindAction(request[CALLER].workspace_id, name))


async def _model(request: web.Request, name: str) -> models.Model | None:
    if (parts := translate.models.parted(name)) is None:
        return None
    return await perhaps(request, models.FIND, models.FindModel(request[CALLER].workspace_id, *parts))
