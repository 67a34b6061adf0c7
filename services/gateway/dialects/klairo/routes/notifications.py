"""Notifications: listed, and marked as read."""

from aiohttp import web

from libs.contracts import notifications
from services.gateway.dialects.klairo import translate, wire
from services.gateway.dialects.klairo.routes import slices
from services.gateway.engine import ask
from services.gateway.http import params, reply
from services.gateway.http.body import read
from services.gateway.http.voices import CALLER

routes = web.RouteTableDef()


@routes.get("/api/notifications")
@routes.get("/v1/notifications")
async def get_notifications(request: web.Request) -> web.Response:
    slice = slices.asked(request)
    unread = params.flag(request, "unread")
    wanted = notifications.PageNotifications(request[CALLER].workspace_id, unread, slice)
    return reply.json(translate.notifications.listed(await ask(request, notifications.PAGE, wanted), slice))


@routes.patch("/api/notifications/read")
@routes.patch("/v1/notifications/read")
async def patch_read(request: web.Request) -> web.Response:
    wanted = translate.notifications.read(request[CALLER], await read(request, wire.notifications.MarkRead))
    return reply.json(translate.notifications.marked(await ask(request, notifications.READ, wanted)))
