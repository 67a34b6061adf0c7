"""Apps, their actions, and the data points of their runs."""

from aiohttp import web

from libs.contracts import actions, apps
from services.gateway.dialects.klu import translate, wire
from services.gateway.dialects.klu.routes import lists, points
from services.gateway.dialects.klu.routes.nouns import Noun
from services.gateway.engine import ask
from services.gateway.http import paging

routes = web.RouteTableDef()

_noun = Noun(routes, "/v1/apps", "app", apps.GetApp, translate.apps.reply)
_noun.creates(apps.CREATE, wire.apps.CreateApp, translate.apps.create)
_noun.gets(apps.GET)
_noun.updates(apps.UPDATE, wire.apps.UpdateApp, translate.apps.update)
_noun.deletes(apps.DELETE, render=translate.apps.deleted)


@routes.get("/v1/apps")
async def list_apps(request: web.Request) -> web.StreamResponse:
    part = paging.of(request, apps.PAGE)
    if lists.wants_envelope(request):
        slice = paging.slice_of(request)
        return lists.envelope(await part(slice), slice, translate.apps.reply)
    return await lists.bare(request, part, translate.apps.reply)


@routes.get("/v1/apps/{guid}/actions")
async def list_actions_of_app(request: web.Request) -> web.StreamResponse:
    asked = _noun.of(request)
    await ask(request, apps.GET, asked)
    part = paging.of(request, actions.PAGE, app_id=asked.app_id)
    return await lists.bare(request, part, translate.actions.reply)


@routes.get("/v1/apps/{guid}/data")
async def list_data_of_app(request: web.Request) -> web.StreamResponse:
    asked = _noun.of(request)
    await ask(request, apps.GET, asked)
    return await lists.bare(request, points.of(request, app_id=asked.app_id), points.itself)
