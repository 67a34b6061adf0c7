"""Users: the one who asks."""

from aiohttp import web

from libs.contracts.faults import Code, Fault
from services.gateway.dialects.klairo import translate
from services.gateway.directory.signing_in import store
from services.gateway.engine import ENGINE
from services.gateway.http import reply
from services.gateway.http.voices import CALLER

routes = web.RouteTableDef()


@routes.get("/api/users/me")
@routes.get("/v1/users/me")
async def get_me(request: web.Request) -> web.Response:
    caller = request[CALLER]
    if caller.account_id is None:
        raise Fault(Code.FORBIDDEN, "This key belongs to no account.")
    engine = request.app[ENGINE]
    async with engine.database.acquire() as connection:
        profile = await store.profile(connection, caller.account_id, caller.workspace_id)
    if profile is None:
        raise Fault(Code.UNAUTHORIZED, "This account is no more.")
    return reply.json(translate.auth.me(profile, await engine.plans.of(caller.workspace_id)))
