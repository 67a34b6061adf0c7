"""Actions, their contexts, and the data points of their runs."""

import asyncio

from aiohttp import web

from libs.contracts import actions, contexts
from services.gateway.dialects.klu import translate, wire
from services.gateway.dialects.klu.routes import lists, points
from services.gateway.dialects.klu.routes.nouns import Noun
from services.gateway.engine import ask, perhaps
from services.gateway.http import paging, reply
from services.gateway.http.body import read, read_optional
from services.gateway.http.fields import called
from services.gateway.http.voices import CALLER

routes = web.RouteTableDef()

_noun = Noun(routes, "/v1/actions", "action", actions.GetAction, translate.actions.reply)
_noun.pages(actions.PAGE)
_noun.gets(actions.GET)
_noun.deletes(actions.DELETE)


@routes.post("/v1/actions/create")
async def create_action(request: web.Request) -> web.Response:
    wanted = translate.actions.create(request[CALLER], await read(request, wire.actions.CreateAction))
    with called(**translate.actions.FIELDS):
        return await _noun.told(request, actions.CREATE, wanted)


@routes.put("/v1/actions/{guid}")
async def update_action(request: web.Request) -> web.Response:
    wanted = translate.actions.update(
        request[CALLER], _noun.of(request), await read(request, wire.actions.UpdateAction)
    )
    with called(**translate.actions.FIELDS):
        return await _noun.told(request, actions.UPDATE, wanted)


@routes.get("/v1/actions/{guid}/versions")
async def list_versions(request: web.Request) -> web.StreamResponse:
    part = paging.of(request, actions.VERSIONS, action_id=_noun.of(request).action_id)
    return await lists.rows(request, part, translate.actions.version)


@routes.post("/v1/actions/{guid}/deploy")
async def deploy_action(request: web.Request) -> web.Response:
    body = await read(request, wire.actions.Deploy)
    wanted = translate.actions.deploy(request[CALLER], _noun.of(request), body)
    return reply.json(translate.actions.deployed(await ask(request, actions.DEPLOY, wanted), wanted.environment))


@routes.post("/v1/actions/{guid}/disable")
async def disable_action(request: web.Request) -> web.Response:
    wanted = translate.actions.disable(_noun.of(request), await read_optional(request, wire.actions.Disable))
    return reply.json(translate.actions.disabled(await ask(request, actions.DISABLE, wanted), wanted.environment))


@routes.get("/v1/actions/{guid}/context")
async def get_context(request: web.Request) -> web.Response:
    asked = _noun.of(request)
    action = await ask(request, actions.GET, asked)
    named = [contexts.GetContext(asked.workspace_id, id) for id in action.context_ids]
    # One may have been deleted since the action named it.
    known = await asyncio.gather(*(perhaps(request, contexts.GET, context) for context in named))
    return reply.json([translate.contexts.reply(context) for context in known if context is not None])


@routes.put("/v1/actions/{guid}/context")
async def set_context(request: web.Request) -> web.Response:
    wanted = translate.actions.set_context(
        request[CALLER], _noun.of(request), await read(request, wire.actions.SetContext)
    )
    await ask(request, actions.UPDATE, wanted)
    return reply.json(True)


@routes.get("/v1/actions/{guid}/data")
async def list_data(request: web.Request) -> web.StreamResponse:
    """The Python SDK parses an object, the JavaScript one (over axios) a list."""
    asked = _noun.of(request)
    await ask(request, actions.GET, asked)
    told = lists.bare if "axios" in request.headers.get("User-Agent", "") else lists.rows
    return await told(request, points.of(request, action_id=asked.action_id), points.itself)
