"""API keys: made, listed and revoked by who is logged in; a key itself may only ask whose it is."""

from aiohttp import web

from libs.contracts.faults import Code, Fault
from libs.contracts.limits import Kind
from services.gateway.dialects.klairo import auth, translate, wire
from services.gateway.dialects.klairo.routes import slices
from services.gateway.directory import keys, store
from services.gateway.engine import ENGINE
from services.gateway.http import idempotency, params, reply
from services.gateway.http.body import read
from services.gateway.http.voices import CALLER

routes = web.RouteTableDef()


@routes.get("/api/keys")
@routes.get("/v1/keys")
async def get_keys(request: web.Request) -> web.Response:
    match request.query.get("action"):
        case None:
            return await _list(request)
        case "validate":
            return await _validate(request)
        case other:
            raise Fault(Code.INVALID, f"There is no action {params.shown(other)!r} here.", field="action")


@routes.post("/api/keys")
@routes.post("/v1/keys")
@idempotency.never
async def post_key(request: web.Request) -> web.StreamResponse:
    caller, wanted = auth.must_be_logged_in(request), await read(request, wire.keys.CreateKey)
    async with request.app[ENGINE].database.transaction() as connection:
        made = await keys.create_own(connection, caller, wanted.name)
    return reply.json(translate.keys.created(made), status=201)


@routes.delete("/api/keys/{id}")
@routes.delete("/v1/keys/{id}")
async def delete_key(request: web.Request) -> web.Response:
    caller, id = auth.must_be_logged_in(request), params.in_path(request, "key", name="id")
    engine = request.app[ENGINE]
    async with engine.database.transaction() as connection:
        hash = await keys.revoke_own(connection, caller, id)
    engine.callers.forget(hash)
    return reply.nothing()


async def _list(request: web.Request) -> web.Response:
    caller, slice = auth.must_be_logged_in(request), slices.asked(request)
    async with request.app[ENGINE].database.acquire() as connection:
        page = await keys.page_own(connection, caller, slice)
    return reply.json(translate.keys.keys(page, slice))


async def _validate(request: web.Request) -> web.Response:
    caller, engine = request[CALLER], request.app[ENGINE]
    async with engine.database.acquire() as connection:
        key = None if caller.logged_in else await store.valid_key(connection, caller.workspace_id, caller.key_id)
        account = await store.account(connection, caller.account_id) if caller.account_id else None
    if key is None:
        raise Fault(Code.UNAUTHORIZED, "This is no API key.")
    terms = await engine.plans.of(caller.workspace_id)
    used = await engine.limits.used(caller.workspace_id, Kind.API_CALLS)
    return reply.json(translate.keys.validity(key, terms, account, used=used))
