"""Models."""

from aiohttp import web

from libs.contracts import models
from services.gateway.dialects.klu import translate, wire
from services.gateway.dialects.klu.routes.nouns import Noun
from services.gateway.engine import ask
from services.gateway.http import paging, reply
from services.gateway.http.body import read
from services.gateway.http.voices import CALLER

routes = web.RouteTableDef()

_noun = Noun(routes, "/v1/models", "model", models.GetModel, translate.models.reply)
_noun.creates(models.CREATE, wire.models.CreateModel, translate.models.create)


@routes.get("/v1/models")
async def list_models(request: web.Request) -> web.Response:
    page = await paging.of(request, models.PAGE)(paging.slice_of(request, default=500))
    return reply.json([translate.models.reply(model) for model in page.items])


@routes.get("/v1/models/default")
@routes.get("/v1/models/models/default")
async def get_default_model(request: web.Request) -> web.Response:
    """The second address is what the JavaScript SDK asks for."""
    return await _noun.told(request, models.GET, models.GetModel(request[CALLER].workspace_id))


_noun.gets(models.GET)
_noun.deletes(models.DELETE)


@routes.post("/v1/models/validate")
async def validate_key(request: web.Request) -> web.Response:
    body = await read(request, wire.models.ValidateKey)
    wanted = models.ValidateKey(request[CALLER].workspace_id, body.provider, body.api_key)
    return reply.json(wire.models.Validated(await ask(request, models.VALIDATE, wanted, timeout=20.0)))


@routes.put("/v1/models/{guid}")
async def update_model(request: web.Request) -> web.Response:
    changes = translate.models.update(_noun.of(request), await read(request, wire.models.UpdateModel))
    return await _noun.told(request, models.UPDATE, changes)
