"""Evals, their runs, and the results of those row by row."""

from functools import partial

from aiohttp import web

from libs.contracts import evals
from libs.contracts.evals import GetEval
from libs.contracts.faults import not_found
from services.gateway.dialects.klu import translate, wire
from services.gateway.dialects.klu.routes import lists, nouns
from services.gateway.engine import ask
from services.gateway.http import paging, params, reply
from services.gateway.http.body import read
from services.gateway.http.voices import CALLER

routes = web.RouteTableDef()

_NOUN = "eval"


def _asked(request: web.Request) -> GetEval:
    return nouns.asked(request, GetEval, _NOUN)


@routes.get("/v1/evals/types")
async def list_types(_: web.Request) -> web.Response:
    return reply.json(translate.evals.types())


nouns.one(routes, "/v1/evals/{guid}", _NOUN, translate.evals.reply, get=evals.GET, delete=evals.DELETE)


@routes.post("/v1/evals")
async def create_eval(request: web.Request) -> web.Response:
    wanted = translate.evals.create(request[CALLER], await read(request, wire.evals.CreateEval))
    return reply.json(translate.evals.reply(await ask(request, evals.CREATE, wanted)))


@routes.get("/v1/evals")
async def list_evals(request: web.Request) -> web.Response:
    page = await ask(request, evals.PAGE, evals.PageEvals(request[CALLER].workspace_id, lists.whole(request)))
    return reply.json([translate.evals.reply(one) for one in page.items])


@routes.put("/v1/evals/{guid}")
async def update_eval(request: web.Request) -> web.Response:
    wanted = translate.evals.update(_asked(request), await read(request, wire.evals.UpdateEval))
    return reply.json(translate.evals.reply(await ask(request, evals.UPDATE, wanted)))


@routes.post("/v1/evals/{guid}/run")
async def run_eval(request: web.Request) -> web.Response:
    asked = _asked(request)
    wanted = evals.StartTrial(asked.workspace_id, asked.eval_id, created_by=request[CALLER].account_id)
    return reply.json(translate.evals.trial(await ask(request, evals.START, wanted, timeout=30.0)))


@routes.get("/v1/evals/{guid}/runs")
async def list_runs(request: web.Request) -> web.Response:
    asked = _asked(request)
    wanted = evals.PageTrials(asked.workspace_id, asked.eval_id, lists.whole(request))
    return reply.json([translate.evals.trial(one) for one in (await ask(request, evals.TRIALS, wanted)).items])


@routes.get("/v1/evals/{guid}/runs/{run}")
async def get_run(request: web.Request) -> web.Response:
    return reply.json(translate.evals.trial(await _trial(request)))


@routes.get("/v1/evals/{guid}/runs/{run}/results")
async def list_results(request: web.Request) -> web.Response:
    slice, trial = paging.slice_of(request), await _trial(request)
    page = await ask(request, evals.ROWS, evals.PageRows(trial.workspace_id, trial.id, slice))
    return lists.envelope(page, slice, partial(translate.evals.row, checks=trial.checks))


async def _trial(request: web.Request) -> evals.Trial:
    """Raises Fault NOT_FOUND also for a run of another eval's."""
    asked, id = _asked(request), params.in_path(request, "eval run", name="run")
    trial = await ask(request, evals.TRIAL, evals.GetTrial(asked.workspace_id, id))
    if trial.eval_id != asked.eval_id:
        raise not_found("eval run", id)
    return trial
