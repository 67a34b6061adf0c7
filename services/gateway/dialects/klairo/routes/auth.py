"""Logging in. Neither needs a caller: a password is one's right, or a token that may have expired."""

from aiohttp import web

from services.gateway.dialects.klairo import translate, wire
from services.gateway.directory.callers import given
from services.gateway.engine import ENGINE
from services.gateway.http import body, reply

open_routes = web.RouteTableDef()

_MOST_BYTES = 1 << 20


@open_routes.post("/api/auth/login")
@open_routes.post("/v1/auth/login")
@body.up_to(_MOST_BYTES)
async def login(request: web.Request) -> web.Response:
    engine, wanted = request.app[ENGINE], translate.auth.login(await body.read(request, wire.auth.Login))
    done = await engine.logins.login(wanted, engine.proxies.client(request))
    return reply.json(translate.auth.logged_in(done))


@open_routes.post("/api/auth/refresh")
@open_routes.post("/v1/auth/refresh")
async def refresh(request: web.Request) -> web.Response:
    token = given(request, what="A token")
    return reply.json(translate.auth.logged_in(await request.app[ENGINE].logins.refresh(token)))
