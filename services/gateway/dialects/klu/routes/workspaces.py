"""Workspaces: the one that the key opens. The API page lists them in an array, the SDKs in an envelope."""

from aiohttp import web

from libs.contracts import ids
from libs.contracts.faults import Code, Fault
from libs.contracts.paging import Page
from services.gateway.dialects.klu import translate
from services.gateway.dialects.klu.routes import lists
from services.gateway.directory import endings, store
from services.gateway.engine import ENGINE
from services.gateway.http import paging, params, reply
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
