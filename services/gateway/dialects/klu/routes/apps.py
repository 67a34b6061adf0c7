"""Apps, their actions, and the data points of their runs."""

from aiohttp import web

from libs.contracts import actions, apps, runs
from services.gateway.dialects.klu import translate, wire
from services.gateway.dialects.klu.routes import lists, nouns, points
from services.gateway.engine import ask
from services.gateway.http import paging, reply
from services.gateway.http.body import read
from services.gateway.http.voices import CALLER

routes = web.RouteTableDef()

nouns.one(
    routes,
    "/v1/apps/{guid}",
    "app",
    translate.apps.reply,
    get=apps.GET,
    delete=apps.DELETE,
    deleted=translate.apps.deleted,
)


def _asked(request: web.Request) -> apps.GetApp:
    return nouns.asked(request, apps.GetApp, "app")


@routes.get("/v1/apps")
async def list_apps(request: web.Request) -> web.Response:
    paged = lists.wants_envelope(request)
    slice = paging.slice_of(request) if paged else lists.whole(request)
    page = await ask(request, apps.PAGE, apps.PageApps(request[CALLER].workspace_id, slice))
    if paged:
        return lists.envelope(page, slice, translate.apps.reply)
    return reply.json([translate.apps.reply(app) for app in page.items])


@routes.post("/v1/apps")
async def create_app(request: web.Request) -> web.Response:
    wanted = translate.apps.create(request[CALLER], await read(request, wire.apps.CreateApp))
    return reply.json(translate.apps.reply(await ask(request, apps.CREATE, wanted)))


@routes.put("/v1/apps/{guid}")
async def update_app(request: web.Request) -> web.Response:
    wanted = translate.apps.update(_asked(request), await read(request, wire.apps.UpdateApp))
    return reply.json(translate.apps.reply(await ask(request, apps.UPDATE, wanted)))


@routes.get("/v1/apps/{guid}/actions")
async def list_actions_of_app(request: web.Request) -> web.Response:
    asked = _asked(request)
    await ask(request, apps.GET, asked)
    page = await ask(request, actions.PAGE, actions.PageActions(asked.workspace_id, asked.app_id, lists.whole(request)))
    return reply.json([translate.actions.reply(action) for action in page.items])


@routes.get("/v1/apps/{guid}/data")
async def list_data_of_app(request: web.Request) -> web.Response:
    asked = _asked(request)
    await ask(request, apps.GET, asked)
    wanted = runs.PageRuns(asked.workspace_id, app_id=asked.app_id, slice=lists.whole(request))
    return reply.json((await points.listed(request, wanted)).items)
