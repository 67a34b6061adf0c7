"""Automations: kept, triggered by hand, and the history of their runs."""

from aiohttp import web

from libs.contracts import automation_runs, automations
from libs.contracts.automations import GetAutomation
from libs.contracts.faults import not_found
from services.gateway.contacts import book
from services.gateway.dialects.klairo import translate, wire
from services.gateway.dialects.klairo.routes import slices
from services.gateway.directory.clocks import clock
from services.gateway.engine import ENGINE, ask
from services.gateway.http import params, reply
from services.gateway.http.body import read, read_optional
from services.gateway.http.voices import CALLER

routes = web.RouteTableDef()


@routes.get("/api/automations")
@routes.get("/v1/automations")
async def get_automations(request: web.Request) -> web.Response:
    slice, query = slices.asked(request), request.query
    wanted = translate.automations.page(
        request[CALLER], slice, status=query.get("status"), trigger=params.line(request, "trigger")
    )
    return reply.json(translate.automations.all_of(await ask(request, automations.PAGE, wanted), slice))


@routes.post("/api/automations")
@routes.post("/v1/automations")
async def post_automation(request: web.Request) -> web.Response:
    caller, engine = request[CALLER], request.app[ENGINE]
    body = await read(request, wire.automations.CreateAutomation)
    terms = await engine.plans.of(caller.workspace_id)
    there = await clock(engine.database, caller.workspace_id)
    wanted = translate.automations.create(caller, body, timezone=there.timezone, at_most=terms.automations)
    return reply.json(translate.automations.whole(await ask(request, automations.CREATE, wanted)), status=201)


@routes.get("/api/automations/{id}")
@routes.get("/v1/automations/{id}")
async def get_automation(request: web.Request) -> web.Response:
    return reply.json(translate.automations.whole(await ask(request, automations.GET, _named(request))))


@routes.patch("/api/automations/{id}")
@routes.patch("/v1/automations/{id}")
async def patch_automation(request: web.Request) -> web.Response:
    named, body = _named(request), await read(request, wire.automations.UpdateAutomation)
    before = (await ask(request, automations.GET, named)).trigger
    change = translate.automations.update(named, body, before)
    return reply.json(translate.automations.whole(await ask(request, automations.UPDATE, change)))


@routes.delete("/api/automations/{id}")
@routes.delete("/v1/automations/{id}")
async def delete_automation(request: web.Request) -> web.Response:
    await ask(request, automations.DELETE, _named(request))
    return reply.nothing()


@routes.post("/api/automations/{id}/trigger")
@routes.post("/v1/automations/{id}/trigger")
async def trigger_automation(request: web.Request) -> web.Response:
    named, body = _named(request), await read_optional(request, wire.automations.TriggerAutomation)
    contact_id = translate.automation_runs.contact_id(body)
    database = request.app[ENGINE].database
    if contact_id is not None:
        await book.get(database, named.workspace_id, contact_id, field="contact_id")
    wanted = translate.automation_runs.triggered(named, body.payload or {}, contact_id)
    return reply.json(
        translate.automation_runs.accepted(await ask(request, automation_runs.TRIGGER, wanted)), status=202
    )


@routes.get("/api/automations/{id}/runs")
@routes.get("/v1/automations/{id}/runs")
async def get_runs(request: web.Request) -> web.Response:
    slice = slices.asked(request)
    wanted = translate.automation_runs.page(_named(request), slice, status=request.query.get("status"))
    return reply.json(translate.automation_runs.runs(await ask(request, automation_runs.PAGE, wanted), slice))


@routes.get("/api/automations/{id}/runs/{run_id}")
@routes.get("/v1/automations/{id}/runs/{run_id}")
async def get_run(request: web.Request) -> web.Response:
    named, run_id = _named(request), params.in_path(request, "run", name="run_id")
    found = await ask(request, automation_runs.GET, automation_runs.GetRun(named.workspace_id, run_id))
    if found.automation_id != named.automation_id:
        raise not_found("run", params.shown(request.match_info["run_id"]))
    return reply.json(translate.automation_runs.run_with_steps(found))


def _named(request: web.Request) -> GetAutomation:
    return GetAutomation(request[CALLER].workspace_id, params.in_path(request, "automation", name="id"))
