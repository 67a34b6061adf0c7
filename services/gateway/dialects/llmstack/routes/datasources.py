"""Datasources and their types."""

from aiohttp import web

from libs.contracts import contexts
from services.gateway.dialects.llmstack import translate, wire
from services.gateway.engine import ask
from services.gateway.http import paging, params, reply
from services.gateway.http.body import read
from services.gateway.http.voices import CALLER

routes = web.RouteTableDef()


def asked(request: web.Request) -> contexts.GetContext:
    return contexts.GetContext(request[CALLER].workspace_id, params.in_path(request, "datasource"))


@routes.get("/api/datasource_types")
async def list_types(request: web.Request) -> web.Response:
    return reply.json(translate.datasources.TYPES)


@routes.get("/api/datasource_types/{slug}")
async def get_type(request: web.Request) -> web.Response:
    return reply.json(translate.datasources.type_of(request.match_info["slug"]))


@routes.post("/api/datasources")
async def create_datasource(request: web.Request) -> web.Response:
    wanted = translate.datasources.create(request[CALLER], await read(request, wire.CreateDatasource))
    return reply.json(translate.datasources.reply(await ask(request, contexts.CREATE, wanted)), status=201)


@routes.get("/api/datasources")
async def list_datasources(request: web.Request) -> web.Response:
    return reply.json(translate.datasources.newest_first(await paging.every(request, contexts.PAGE)))


@routes.get("/api/datasources/{guid}")
async def get_datasource(request: web.Request) -> web.Response:
    return reply.json(translate.datasources.reply(await ask(request, contexts.GET, asked(request))))


@routes.patch("/api/datasources/{guid}")
async def update_datasource(request: web.Request) -> web.Response:
    wanted = translate.datasources.update(asked(request), await read(request, wire.UpdateDatasource))
    return reply.json(translate.datasources.reply(await ask(request, contexts.UPDATE, wanted)))


@routes.delete("/api/datasources/{guid}")
async def delete_datasource(request: web.Request) -> web.Response:
    await ask(request, contexts.DELETE, asked(request))
    return reply.nothing()
