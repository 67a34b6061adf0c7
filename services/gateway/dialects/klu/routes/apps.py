"""Apps, their actions, and the data points of their runs."""

from aiohttp import web

from libs.contracts import actions, apps, runs
from services.gateway.dialects.klu import translate, wire
from services.gateway.dialects.klu.routes import lists, points
from services.gateway.dialects.klu.routes.nouns import Noun
from services.gateway.engine import ask
from services.gateway.http import paging, reply
from services.gateway.http.voices import CALLER

routes = web.RouteTableDef()

_noun = Noun(routes, "/v1/apps", "app", apps.GetApp, translate.apps.reply)
_noun.creates(apps.CREATE, wire.apps.CreateApp, translate.apps.create)
_noun.gets(apps.GET)
_noun.updates(apps.UPDATE, wire.apps.UpdateApp, translate.apps.update)
_noun.deletes(apps.DELETE, render=translate.apps.deleted)


@routes.get("/v1/apps")
async def list_apps(request: web.Request) -> web.Response:
    paged = lists.wants_envelope(request)
    slice = paging.slice_of(request) if paged else lists.whole(request)
    page = await ask(request, apps.PAGE, apps.PageApps(request[CALLER].workspace_id, slice))
    if paged:
        return lists.envelope(page, slice, translate.apps.reply)
    return reply.json([translate.apps.reply(app) for app in page.items])


@routes.get("/v1/apps/{guid}/actions")
async def list_actions_of_app(request: web.Request) -> web.Response:
    asked = _noun.of(request)
    await ask(request, apps.GET, asked)
    page = await ask(request, actions.PAGE, actions.PageActions(asked.workspace_id, asked.app_id, lists.whole(request)))
    return reply.json([translate.actions.reply(action) for action in page.items])


@routes.get("/v1/apps/{guid}/data")
async def list_data_of_app(request: web.Request) -> web.Response:
    asked = _noun.of(request)
    await ask(request, apps.GET, asked)
    wanted = runs.PageRuns(asked.workspace_id, app_id=asked.app_id, slice=lists.whole(request))
    return reply.json((await points.listed(request, wanted)).items)
