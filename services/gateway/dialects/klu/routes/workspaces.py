"""Workspaces: the one that the key opens. The API page lists them in an array, the SDKs in an envelope."""

from aiohttp import web

from libs.contracts import apps, contexts, ids, models
from libs.contracts.faults import Code, Fault
from libs.contracts.paging import Page
from services.gateway.dialects.klu import translate, wire
from services.gateway.dialects.klu.routes import lists
from services.gateway.directory import endings, people, store
from services.gateway.engine import ENGINE
from services.gateway.http import paging, params, reply
from services.gateway.http.body import read
from services.gateway.http.voices import CALLER

routes = web.RouteTableDef()


async def _own(request: web.Request) -> store.Workspace:
    id = request[CALLER].workspace_id
    async with request.app[ENGINE].database.acquire() as connection:
        own = await store.workspace(connection, id)
    if own is None:
        raise _no_workspace(str(id))
    return own


def _no_workspace(text: str) -> Fault:
    return Fault(Code.NOT_FOUND, f"This key opens no workspace {text}.")


@routes.get("/v1/workspaces")
async def list_workspaces(request: web.Request) -> web.Response:
    return reply.json([translate.workspaces.reply(await _own(request))])


@routes.get("/v1/workspace")
async def page_workspaces(request: web.Request) -> web.Response:
    slice = paging.slice_of(request)
    own = [await _own(request)]
    page = Page(own[slice.offset : slice.offset + slice.limit], len(own))
    return lists.envelope(page, slice, translate.workspaces.reply)


@routes.get("/v1/workspace/current")
async def get_current_workspace(request: web.Request) -> web.Response:
    return reply.json(translate.workspaces.reply(await _own(request)))


@routes.get("/v1/workspace/{guid}")
async def get_workspace(request: web.Request) -> web.Response:
    _must_be_own(request)
    return reply.json(translate.workspaces.reply(await _own(request)))


@routes.post("/v1/workspace")
async def create_workspace(request: web.Request) -> web.Response:
    """Whoever makes one owns it. Its keys are made like any other's: this one opens its own workspace alone."""
    body, owner = await read(request, wire.workspaces.CreateWorkspace), request[CALLER].account_id
    if owner is None:
        raise Fault(Code.FORBIDDEN, "This key belongs to no account, which could own a workspace.")
    async with request.app[ENGINE].database.transaction() as connection:
        made = await people.found_workspace(connection, body.name, slug=body.slug, owner=owner)
    return reply.json(translate.workspaces.reply(made))


@routes.put("/v1/workspace/{guid}")
async def update_workspace(request: web.Request) -> web.Response:
    _must_be_own(request)
    own, body = await _own(request), await read(request, wire.workspaces.UpdateWorkspace)
    if body.name is None:
        return reply.json(translate.workspaces.reply(own))
    async with request.app[ENGINE].database.transaction() as connection:
        return reply.json(translate.workspaces.reply(await people.rename_workspace(connection, own.id, body.name)))


@routes.get("/v1/workspace/{guid}/apps")
async def list_apps(request: web.Request) -> web.StreamResponse:
    _must_be_own(request)
    return await lists.bare(request, paging.of(request, apps.PAGE), translate.apps.reply)


@routes.get("/v1/workspace/{guid}/models")
async def list_models(request: web.Request) -> web.StreamResponse:
    _must_be_own(request)
    return await lists.bare(request, paging.of(request, models.PAGE), translate.models.reply)


@routes.get("/v1/workspace/{guid}/context")
async def list_contexts(request: web.Request) -> web.StreamResponse:
    _must_be_own(request)
    return await lists.bare(request, paging.of(request, contexts.PAGE), translate.contexts.reply)


@routes.delete("/v1/workspace/{guid}")
async def delete_workspace(request: web.Request) -> web.Response:
    """All that is in it is erased; no key opens it any more. The workspace as it was."""
    _must_be_own(request)
    own = await _own(request)
    async with request.app[ENGINE].database.transaction() as connection:
        await endings.must_be_allowed(connection, request[CALLER])
        await endings.delete(connection, own)
    return reply.json(translate.workspaces.reply(own))


def _must_be_own(request: web.Request) -> None:
    asked = request.match_info["guid"]
    if ids.parse(asked) != request[CALLER].workspace_id:
        raise _no_workspace(params.shown(asked))
