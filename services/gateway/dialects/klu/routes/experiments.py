"""Experiments, and what their variants came to. They are run where runs are (routes.runs)."""

import asyncio

from aiohttp import web

from libs.contracts import experiments, feedback
from libs.contracts.experiments import Status
from services.gateway.dialects.klu import translate, wire
from services.gateway.dialects.klu.routes.nouns import Noun
from services.gateway.engine import ask
from services.gateway.http import reply
from services.gateway.http.body import read

routes = web.RouteTableDef()

_noun = Noun(routes, "/v1/experiments", "experiment", experiments.GetExperiment, translate.experiments.reply)
_noun.creates(experiments.CREATE, wire.experiments.CreateExperiment, translate.experiments.create)
_noun.pages(experiments.PAGE)
_noun.gets(experiments.GET)
_noun.deletes(experiments.DELETE)


@routes.put("/v1/experiments/{guid}")
async def update_experiment(request: web.Request) -> web.Response:
    asked, body = _noun.of(request), await read(request, wire.experiments.UpdateExperiment)
    wanted = translate.experiments.update(asked, await ask(request, experiments.GET, asked), body)
    return await _noun.told(request, experiments.UPDATE, wanted)


@routes.post("/v1/experiments/{guid}/start")
async def start_experiment(request: web.Request) -> web.Response:
    return await _turn(request, Status.RUNNING)


@routes.post("/v1/experiments/{guid}/stop")
async def stop_experiment(request: web.Request) -> web.Response:
    return await _turn(request, Status.STOPPED)


async def _turn(request: web.Request, status: Status) -> web.Response:
    asked = _noun.of(request)
    wanted = experiments.UpdateExperiment(asked.workspace_id, asked.experiment_id, status=status)
    return await _noun.told(request, experiments.UPDATE, wanted)


@routes.get("/v1/experiments/{guid}/results")
async def experiment_results(request: web.Request) -> web.Response:
    asked = _noun.of(request)
    found, rated = await asyncio.gather(
        ask(request, experiments.RESULTS, asked),
        ask(request, feedback.RATINGS, feedback.RatingsOf(asked.workspace_id, asked.experiment_id)),
    )
    return reply.json(translate.experiments.results(found, rated))
