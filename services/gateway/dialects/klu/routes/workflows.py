"""Workflows: the engine's automations, triggered and asked for their results. They are made in the KlairoAI voice."""

from aiohttp import web

from libs.contracts import automation_runs, automations
from libs.contracts.automation_runs import Run
from libs.contracts.faults import not_found
from services.gateway.dialects.klu import translate, wire
from services.gateway.dialects.klu.routes import lists
from services.gateway.dialects.klu.routes.nouns import Noun
from services.gateway.engine import ask
from services.gateway.http import paging, params, reply
from services.gateway.http.body import read_optional

routes = web.RouteTableDef()

_noun = Noun(routes, "/v1/workflows", "workflow", automations.GetAutomation, translate.workflows.reply)
_noun.lists(automations.PAGE)


@routes.post("/v1/workflows/{guid}/trigger")
async def trigger_workflow(request: web.Request) -> web.Response:
    wanted = translate.workflows.trigger(
        _noun.of(request), await read_optional(request, wire.workflows.TriggerWorkflow)
    )
    return reply.json(translate.workflows.triggered(await ask(request, automation_runs.TRIGGER, wanted)))


# The SDKs ask for results with a slash too many.
@routes.get("/v1/workflows/{guid}/result")
@routes.get("/v1/workflows//{guid}/result")
async def list_runs(request: web.Request) -> web.StreamResponse:
    part = paging.of(request, automation_runs.PAGE, automation_id=_noun.of(request).automation_id)
    return await lists.bare(request, part, translate.workflows.run)


@routes.get("/v1/workflows/{guid}/result/{run}")
@routes.get("/v1/workflows//{guid}/result/{run}")
async def get_result(request: web.Request) -> web.Response:
    return reply.json(translate.workflows.result(await _run(request)))


@routes.get("/v1/workflows/{guid}/result/{run}/dataset")
@routes.get("/v1/workflows//{guid}/result/{run}/dataset")
async def get_dataset(request: web.Request) -> web.Response:
    return reply.json(translate.workflows.dataset(await _run(request)))


async def _run(request: web.Request) -> Run:
    """Raises Fault NOT_FOUND for a run that is another workflow's."""
    asked = _noun.of(request)
    wanted = automation_runs.GetRun(asked.workspace_id, params.in_path(request, "run", name="run"))
    found = await ask(request, automation_runs.GET, wanted)
    if found.automation_id != asked.automation_id:
        raise not_found("run", found.id)
    return found
