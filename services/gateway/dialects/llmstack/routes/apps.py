"""Apps, each told with its default action's prompt and model."""

import asyncio
from collections.abc import Sequence

from aiohttp import web

from libs.contracts import actions, apps, models
from services.gateway.dialects.llmstack import translate, wire
from services.gateway.engine import ask
from services.gateway.http import paging, params, reply, yaml
from services.gateway.http.fields import called
from services.gateway.http.voices import CALLER

routes = web.RouteTableDef()


def _asked(request: web.Request) -> apps.GetApp:
    return apps.GetApp(request[CALLER].workspace_id, params.in_path(request, "app"))


async def _known(request: web.Request, body: wire.CreateApp | wire.UpdateApp) -> list[models.Model]:
    """The models that a body may name; none where it names none."""
    return await paging.every(request, models.PAGE) if body.model else []


async def _told(request: web.Request, found: Sequence[apps.App]) -> list[wire.App]:
    wanted = [app.default_action_id for app in found if app.default_action_id is not None]
    asked = actions.ActionsOf(request[CALLER].workspace_id, wanted)
    defaults, known = await asyncio.gather(ask(request, actions.OF, asked), paging.every(request, models.PAGE))
    by_id = {action.id: action for action in defaults}
    return [
        translate.apps.reply(app, app.default_action_id and by_id.get(app.default_action_id), known) for app in found
    ]


async def _one(request: web.Request, app: apps.App, *, status: int = 200) -> web.Response:
    [told] = await _told(request, [app])
    return reply.json(told, status=status)


@routes.post("/api/apps")
async def create_app(request: web.Request) -> web.Response:
    body = await yaml.read_or_json(request, wire.CreateApp)
    wanted = translate.apps.create(request[CALLER], body, await _known(request, body))
    with called(context_ids="datasources"):
        return await _one(request, await ask(request, apps.CREATE, wanted), status=201)


@routes.get("/api/apps")
async def list_apps(request: web.Request) -> web.Response:
    return reply.json(await _told(request, await paging.every(request, apps.PAGE)))


@routes.get("/api/apps/{guid}")
async def get_app(request: web.Request) -> web.Response:
    return await _one(request, await ask(request, apps.GET, _asked(request)))


@routes.patch("/api/apps/{guid}")
async def update_app(request: web.Request) -> web.Response:
    asked, body = _asked(request), await yaml.read_or_json(request, wire.UpdateApp)
    wanted = translate.apps.update(asked, body, await _known(request, body))
    return await _one(request, await ask(request, apps.UPDATE, wanted))


@routes.delete("/api/apps/{guid}")
async def delete_app(request: web.Request) -> web.Response:
    await ask(request, apps.DELETE, _asked(request))
    return reply.nothing()
