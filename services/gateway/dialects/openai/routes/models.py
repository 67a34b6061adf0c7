"""What may stand as `model`, listed and one by one."""

import asyncio

from aiohttp import web

from libs.contracts import actions, embeddings, models
from libs.contracts.faults import Code, Fault
from services.gateway.dialects.openai import naming, translate
from services.gateway.engine import ask
from services.gateway.http import paging, reply
from services.gateway.http.voices import CALLER

routes = web.RouteTableDef()


@routes.get("/v1/models")
async def list_models(request: web.Request) -> web.Response:
    found, served, embedding = await asyncio.gather(
        paging.every(request, actions.PAGE), paging.every(request, models.PAGE), _embedding(request)
    )
    return reply.json(translate.models.listed(found, served, embedding))


@routes.get("/v1/models/{model:.+}")
async def get_model(request: web.Request) -> web.Response:
    name = request.match_info["model"].rstrip("/")
    try:
        found = await naming.target(request, name)
    except Fault as fault:
        if fault.code is Code.NOT_FOUND and name == await _embedding(request):
            return reply.json(translate.models.embeddings(name))
        raise
    if isinstance(found, actions.Action):
        return reply.json(translate.models.action(found, name))
    return reply.json(translate.models.model(found))


async def _embedding(request: web.Request) -> str:
    return (await ask(request, embeddings.EMBED, embeddings.EmbedTexts(request[CALLER].workspace_id))).model
