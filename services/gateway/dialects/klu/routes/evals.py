"""Evals, their runs, and the results of those row by row."""

from functools import partial

from aiohttp import web

from libs.contracts import evals
from libs.contracts.faults import not_found
from services.gateway.dialects.klu import translate, wire
from services.gateway.dialects.klu.routes import lists
from services.gateway.dialects.klu.routes.nouns import Noun
from services.gateway.engine import ask
from services.gateway.http import paging, params, reply
from services.gateway.http.voices import CALLER

routes = web.RouteTableDef()


@routes.get("/v1/evals/types")
async def list_types(_: web.Request) -> web.Response:
    return reply.json(translate.evals.types())


_noun = Noun(routes, "/v1/evals", "eval", evals.GetEval, translate.evals.reply)
_noun.creates(evals.CREATE, wire.evals.CreateEval, translate.evals.create)
_noun.lists(evals.PAGE)
_noun.gets(evals.GET)
_noun.updates(evals.UPDATE, wire.evals.UpdateEval, translate.evals.update)
_noun.deletes(evals.DELETE)


@routes.post("/v1/evals/{guid}/run")
async def run_eval(request: web.Request) -> web.Response:
    asked = _noun.of(request)
    wanted = evals.StartTrial(asked.workspace_id, asked.eval_id, created_by=request[CALLER].account_id)
    return reply.json(translate.evals.trial(await ask(request, evals.START, wanted, timeout=30.0)))


@routes.get("/v1/evals/{guid}/runs")
async def list_runs(request: web.Request) -> web.StreamResponse:
    part = paging.of(request, evals.TRIALS, eval_id=_noun.of(request).eval_id)
    return await lists.bare(request, part, translate.evals.trial)


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
    asked, id = _noun.of(request), params.in_path(request, "eval run", name="run")
    trial = await ask(request, evals.TRIAL, evals.GetTrial(asked.workspace_id, id))
    if trial.eval_id != asked.eval_id:
        raise not_found("eval run", id)
    return trial
