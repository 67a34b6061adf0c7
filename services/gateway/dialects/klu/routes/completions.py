"""Chat completions in an action's name, as Klu's gateway answers them, and the payload that asks for one."""

from functools import partial

from aiohttp import web
from msgspec import structs

from libs.contracts import actions, runs
from libs.contracts.faults import Code, Fault
from services.gateway.completions import answering
from services.gateway.completions.wire import ChatRequest
from services.gateway.dialects.klu import gateway, translate, wire
from services.gateway.dialects.klu.auth import COMPLETIONS
from services.gateway.dialects.klu.gateway import Right
from services.gateway.engine import ask
from services.gateway.http import params, reply
from services.gateway.http.aside import aside
from services.gateway.http.body import read, whole
from services.gateway.http.voices import CALLER

routes = web.RouteTableDef()

_RENDER_SECONDS = 30.0
_ACTION = "x-klu-action-guid"


@routes.post("/v1/actions/{guid}/gateway_payload")
async def gateway_payload(request: web.Request) -> web.Response:
    caller, body = request[CALLER], await read(request, wire.runs.RunAction)
    wanted = translate.runs.start(caller, structs.replace(body, action=request.match_info["guid"]))
    rendered = await ask(request, runs.RENDER, wanted, timeout=_RENDER_SECONDS)
    right = Right(
        caller.workspace_id,
        caller.account_id,
        caller.key_id,
        caller.key_hash,
        rendered.action_id,
        rendered.model_id,
        rendered.model,
    )
    return reply.json(translate.drafts.payload(rendered, gateway.token(request, right)))


@routes.post(COMPLETIONS)
async def chat_completion(request: web.Request) -> web.StreamResponse:
    right, caller, body = request.get(gateway.RIGHT), request[CALLER], await read(request, ChatRequest)
    if right is not None:
        _refuse_others(request, right, body)
        action_id, model_id = right.action_id, right.model_id
    else:
        action = await _named(request, body)
        action_id, model_id = action.id, action.model_id
    asked = partial(translate.drafts.completion, caller, body, action_id=action_id, model_id=model_id)
    start = await aside(len(await whole(request)), asked)
    return await answering.answer(request, start, body)


def _refuse_others(request: web.Request, right: Right, body: ChatRequest) -> None:
    """Raises Fault FORBIDDEN: the token is for one action and its model."""
    named = request.headers.get(_ACTION)
    if named and params.guid(named, "action") != right.action_id:
        raise Fault(Code.FORBIDDEN, "This token is for another action.")
    if body.model not in ("", right.llm):
        raise Fault(Code.FORBIDDEN, f"This token is for the model {right.llm}.", field="model")


async def _named(request: web.Request, body: ChatRequest) -> actions.Action:
    """The action that the header names, or else the model, by its guid or its name."""
    workspace_id = request[CALLER].workspace_id
    if named := request.headers.get(_ACTION):
        return await ask(request, actions.GET, actions.GetAction(workspace_id, params.guid(named, "action")))
    if not body.model:
        raise Fault(Code.INVALID, f"Name an action: its guid in {_ACTION}, or its name as the model.", field="model")
    return await ask(request, actions.FIND, actions.FindAction(workspace_id, body.model))
