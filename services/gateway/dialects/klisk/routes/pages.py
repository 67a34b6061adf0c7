"""What needs no key: who is there, whether it answers, the chat page and the widget that puts it into other pages."""

from aiohttp import web

from libs.contracts import actions
from services.gateway.dialects.klisk import auth, page, translate, wire
from services.gateway.directory import store
from services.gateway.engine import ENGINE, perhaps
from services.gateway.http import health, reply

open_routes = web.RouteTableDef()
pages = web.RouteTableDef()

_NOBODY = "Polyvox"


@open_routes.get("/api/info")
async def info(request: web.Request) -> web.Response:
    """Of the key's workspace; of the default one without a key, or with one that is none."""
    return reply.json(await _info(request))


@open_routes.get("/widget.js")
async def widget(request: web.Request) -> web.Response:
    return page.widget(under_prefix=request.path.startswith(f"{auth.PREFIX}/"))


pages.get("/health")(health.answer)


@pages.get("/")
async def chat(request: web.Request) -> web.Response:
    return page.chat()


async def _info(request: web.Request) -> wire.Info:
    engine, caller = request.app[ENGINE], await auth.perhaps(request)
    workspace_id = caller.workspace_id if caller else await engine.guests.workspace_id()
    auth_required = not engine.guests.anyone
    if workspace_id is None:
        return translate.info.reply(_NOBODY, None, auth_required=auth_required)
    async with engine.database.acquire() as connection:
        workspace = await store.workspace(connection, workspace_id)
    name = workspace.name if workspace else _NOBODY
    agent = await perhaps(request, actions.FIND, actions.FindAction(workspace_id))
    return translate.info.reply(name, agent, auth_required=auth_required)
