"""Workflows: the engine has none yet, so the list is empty and every guid is unknown. Nothing is made up."""

from aiohttp import web

from libs.contracts.faults import not_found
from services.gateway.http import params, reply

routes = web.RouteTableDef()


@routes.get("/v1/workflows")
async def list_workflows(_: web.Request) -> web.Response:
    return reply.json([])


@routes.post("/v1/workflows/{guid}/trigger")
@routes.get("/v1/workflows/{guid}/result")
@routes.get("/v1/workflows/{guid}/result/{run}")
@routes.get("/v1/workflows/{guid}/result/{run}/dataset")
@routes.get("/v1/workflows//{guid}/result")
@routes.get("/v1/workflows//{guid}/result/{run}")
@routes.get("/v1/workflows//{guid}/result/{run}/dataset")
async def unknown_workflow(request: web.Request) -> web.Response:
    """The SDKs ask for results with a slash too many."""
    raise not_found("workflow", params.shown(request.match_info["guid"]))
