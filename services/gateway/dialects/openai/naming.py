"""What `model` names: an action by its name or guid, or a provider's model as `provider/model`."""

from aiohttp import web

from libs.contracts import actions, models
from libs.contracts.faults import Code, Fault
from services.gateway.dialects.openai import translate
from services.gateway.engine import ask
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
    try:
        return await ask(request, actions.FIND, actions.FindAction(request[CALLER].workspace_id, name))
    except Fault as fault:
        return _nothing(fault)


async def _model(request: web.Request, name: str) -> models.Model | None:
    if (parts := translate.models.parted(name)) is None:
        return None
    try:
        return await ask(request, models.FIND, models.FindModel(request[CALLER].workspace_id, *parts))
    except Fault as fault:
        return _nothing(fault)


def _nothing(fault: Fault) -> None:
    if fault.code is not Code.NOT_FOUND:
        raise fault
