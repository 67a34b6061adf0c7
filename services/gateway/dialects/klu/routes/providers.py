"""Providers of models, each answered with the models it serves."""

from aiohttp import web

from libs.contracts import models
from services.gateway.dialects.klu import translate, wire
from services.gateway.dialects.klu.routes import lists
from services.gateway.engine import ask
from services.gateway.http import paging, params, reply
from services.gateway.http.body import read
from services.gateway.http.voices import CALLER

routes = web.RouteTableDef()


def _asked(request: web.Request) -> models.GetProvider:
    return models.GetProvider(request[CALLER].workspace_id, params.in_path(request, "provider"))


async def _with_models(request: web.Request, provider: models.Provider) -> web.Response:
    return reply.json(translate.models.with_models(provider, await paging.every(request, models.PAGE)))


@routes.get("/v1/models/provider")
async def list_providers(request: web.Request) -> web.StreamResponse:
    return await lists.bare(request, paging.of(request, models.PAGE_PROVIDERS), translate.models.provider)


@routes.post("/v1/models/provider")
async def create_provider(request: web.Request) -> web.Response:
    wanted = translate.models.create_provider(request[CALLER], await read(request, wire.models.CreateProvider))
    return await _with_models(request, await ask(request, models.CREATE_PROVIDER, wanted))


@routes.put("/v1/models/provider/{guid}")
async def update_provider(request: web.Request) -> web.Response:
    wanted = translate.models.update_provider(_asked(request), await read(request, wire.models.UpdateProvider))
    return await _with_models(request, await ask(request, models.UPDATE_PROVIDER, wanted))


@routes.delete("/v1/models/provider/{guid}")
async def delete_provider(request: web.Request) -> web.Response:
    await ask(request, models.DELETE_PROVIDER, _asked(request))
    return reply.json("Success")
