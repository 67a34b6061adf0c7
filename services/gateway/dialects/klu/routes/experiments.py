"""Experiments, and what their variants came to. They are run where runs are (routes.runs)."""

import asyncio

from aiohttp import web

from libs.contracts import experiments, feedback
from libs.contracts.experiments import GetExperiment, Status
from services.gateway.dialects.klu import translate, wire
from services.gateway.dialects.klu.routes import nouns
from services.gateway.engine import ask
from services.gateway.http import reply
from services.gateway.http.body import read
from services.gateway.http.voices import CALLER

routes = web.RouteTableDef()

_NOUN = "experiment"
nouns.one(
    routes,
    "/v1/experiments/{guid}",
    _NOUN,
    translate.experiments.reply,
    get=experiments.GET,
    delete=experiments.DELETE,
)
nouns.paged(routes, "/v1/experiments", experiments.PAGE, translate.experiments.reply)


def _asked(request: web.Request) -> GetExperiment:
    return nouns.asked(request, GetExperiment, _NOUN)


@routes.post("/v1/experiments")
async def create_experiment(request: web.Request) -> web.Response:
    wanted = translate.experiments.create(request[CALLER], await read(request, wire.experiments.CreateExperiment))
    return reply.json(translate.experiments.reply(await ask(request, experiments.CREATE, wanted)))


@routes.put("/v1/experiments/{guid}")
async def update_experiment(request: web.Request) -> web.Response:
    asked, body = _asked(request), await read(request, wire.experiments.UpdateExperiment)
    wanted = translate.experiments.update(asked, await ask(request, experiments.GET, asked), body)
    return reply.json(translate.experiments.reply(await ask(request, experiments.UPDATE, wanted)))


@routes.post("/v1/experiments/{guid}/start")
async def start_experiment(request: web.Request) -> web.Response:
    return await _turn(request, Status.RUNNING)


@routes.post("/v1/experiments/{guid}/stop")
async def stop_experiment(request: web.Request) -> web.Response:
    return await _turn(request, Status.STOPPED)


async def _turn(request: web.Request, status: Status) -> web.Response:
    asked = _asked(request)
    wanted = experiments.UpdateExperiment(asked.workspace_id, asked.experiment_id, status=status)
    return reply.json(translate.experiments.reply(await ask(request, experiments.UPDATE, wanted)))


@routes.get("/v1/experiments/{guid}/results")
async def experiment_results(request: web.Request) -> web.Response:
    asked = _asked(request)
    found, rated = await asyncio.gather(
        ask(request, experiments.RESULTS, asked),
        ask(request, feedback.RATINGS, feedback.RatingsOf(asked.workspace_id, asked.experiment_id)),
    )
    return reply.json(translate.experiments.results(found, rated))
