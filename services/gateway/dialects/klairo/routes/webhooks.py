"""Webhooks: who is told, tried, and told what."""

from aiohttp import web

from libs.contracts import deliveries, endpoints
from libs.contracts.faults import Code, Fault
from services.gateway.dialects.klairo import translate, wire
from services.gateway.dialects.klairo.routes import slices
from services.gateway.engine import ENGINE, ask
from services.gateway.http import params, reply
from services.gateway.http.body import read, read_optional
from services.gateway.http.voices import CALLER

routes = web.RouteTableDef()

_LATEST = 50


@routes.post("/api/webhooks")
@routes.post("/v1/webhooks")
async def post_webhook(request: web.Request) -> web.Response:
    match request.query.get("action"):
        case None:
            return await _create(request)
        case "test":
            return await _test(request)
        case "rotate":
            return await _rotate(request)
        case "redeliver":
            return await _redeliver(request)
        case other:
            raise _no_action(other)


@routes.get("/api/webhooks")
@routes.get("/v1/webhooks")
async def get_webhooks(request: web.Request) -> web.Response:
    match request.query.get("action"):
        case None:
            return await _list(request)
        case "deliveries":
            return await _deliveries(request)
        case other:
            raise _no_action(other)


@routes.patch("/api/webhooks/{id}")
@routes.patch("/v1/webhooks/{id}")
async def patch_webhook(request: web.Request) -> web.Response:
    named = _endpoint(request, request.match_info["id"])
    change = translate.webhooks.update(named, await read(request, wire.webhooks.UpdateWebhook))
    return reply.json(translate.webhooks.webhook(await ask(request, endpoints.UPDATE, change)))


@routes.delete("/api/webhooks/{id}")
@routes.delete("/v1/webhooks/{id}")
async def delete_webhook(request: web.Request) -> web.Response:
    await ask(request, endpoints.DELETE, _endpoint(request, request.match_info["id"]))
    return reply.nothing()


async def _create(request: web.Request) -> web.Response:
    caller, body = request[CALLER], await read(request, wire.webhooks.CreateWebhook)
    terms = await request.app[ENGINE].plans.of(caller.workspace_id)
    wanted = translate.webhooks.create(caller, body, at_most=terms.webhooks)
    return reply.json(translate.webhooks.created(await ask(request, endpoints.CREATE, wanted)), status=201)


async def _test(request: web.Request) -> web.Response:
    named = await _named(request)
    wanted = deliveries.SendTest(named.workspace_id, named.endpoint_id)
    return reply.json(translate.webhooks.delivery(await ask(request, deliveries.TEST, wanted)))


async def _rotate(request: web.Request) -> web.Response:
    return reply.json(translate.webhooks.created(await ask(request, endpoints.ROTATE, await _named(request))))


async def _redeliver(request: web.Request) -> web.Response:
    body = await read_optional(request, wire.webhooks.NamedDelivery)
    id = request.query.get("id") or body.id
    if not id:
        raise Fault(Code.INVALID, "Name the delivery.", field="id")
    wanted = deliveries.Redeliver(request[CALLER].workspace_id, params.guid(id, "delivery"))
    return reply.json(translate.webhooks.delivery(await ask(request, deliveries.REDELIVER, wanted)))


async def _list(request: web.Request) -> web.Response:
    slice = slices.asked(request)
    page = await ask(request, endpoints.PAGE, endpoints.PageEndpoints(request[CALLER].workspace_id, slice))
    return reply.json(translate.webhooks.webhooks(page, slice))


async def _deliveries(request: web.Request) -> web.Response:
    named = _endpoint(request, request.query.get("id"))
    latest = await ask(
        request, deliveries.LATEST, deliveries.LatestDeliveries(named.workspace_id, named.endpoint_id, _LATEST)
    )
    return reply.json(wire.webhooks.Deliveries([translate.webhooks.delivery(sent) for sent in latest], len(latest)))


async def _named(request: web.Request) -> endpoints.GetEndpoint:
    """The webhook of an action, in the query or in the body."""
    body = await read_optional(request, wire.webhooks.NamedWebhook)
    return _endpoint(request, request.query.get("id") or body.id or body.webhook_id)


def _endpoint(request: web.Request, id: str | None) -> endpoints.GetEndpoint:
    if not id:
        raise Fault(Code.INVALID, "Name the webhook.", field="id")
    return endpoints.GetEndpoint(request[CALLER].workspace_id, params.guid(id, "webhook"))


def _no_action(text: str) -> Fault:
    return Fault(Code.INVALID, f"There is no action {params.shown(text)!r} here.", field="action")
