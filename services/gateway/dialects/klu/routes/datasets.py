"""Datasets, and the data points in them."""

from aiohttp import web

from libs.contracts import apps, datasets, runs
from services.gateway.dialects.klu import translate, wire
from services.gateway.dialects.klu.routes import lists, points
from services.gateway.dialects.klu.routes.nouns import Noun
from services.gateway.engine import ask
from services.gateway.http import params, reply
from services.gateway.http.body import read
from services.gateway.http.voices import CALLER

routes = web.RouteTableDef()

_EXPORT_SECONDS = 60.0
_noun = Noun(routes, "/v1/datasets", "dataset", datasets.GetDataset, translate.datasets.reply)
_noun.creates(datasets.CREATE, wire.datasets.CreateDataset, translate.datasets.create)
_noun.pages(datasets.PAGE)
_noun.gets(datasets.GET)
_noun.updates(datasets.UPDATE, wire.datasets.UpdateDataset, translate.datasets.update)
_noun.deletes(datasets.DELETE)


@routes.get("/v1/datasets/app/{guid}")
async def list_datasets_of_app(request: web.Request) -> web.Response:
    app = apps.GetApp(request[CALLER].workspace_id, params.in_path(request, "app"))
    await ask(request, apps.GET, app)
    wanted = datasets.PageDatasets(app.workspace_id, app.app_id, slice=lists.whole(request))
    page = await ask(request, datasets.PAGE, wanted)
    return reply.json([translate.datasets.reply(dataset) for dataset in page.items])


@routes.get("/v1/datasets/{guid}/data")
async def list_data_of_dataset(request: web.Request) -> web.Response:
    await ask(request, datasets.GET, _noun.of(request))
    return await _points(request)


@routes.put("/v1/datasets/{guid}/data")
async def add_data(request: web.Request) -> web.Response:
    asked, added = _noun.of(request), translate.datasets.points((await read(request, wire.datasets.Points)).data)
    await ask(request, datasets.UPDATE, datasets.UpdateDataset(asked.workspace_id, asked.dataset_id, added=added))
    return await _points(request)


@routes.delete("/v1/datasets/{guid}/data")
async def remove_data(request: web.Request) -> web.Response:
    asked, removed = _noun.of(request), translate.datasets.points((await read(request, wire.datasets.Points)).data)
    await ask(request, datasets.UPDATE, datasets.UpdateDataset(asked.workspace_id, asked.dataset_id, removed=removed))
    return await _points(request)


@routes.get("/v1/datasets/{guid}/export")
async def export_dataset(request: web.Request) -> web.Response:
    """As a training file."""
    asked = _noun.of(request)
    lines = await ask(request, datasets.EXPORT, asked, timeout=_EXPORT_SECONDS)
    named = {"Content-Disposition": f'attachment; filename="{asked.dataset_id}.jsonl"'}
    return web.Response(body=lines, content_type="application/jsonl", headers=named)


async def _points(request: web.Request) -> web.Response:
    asked = _noun.of(request)
    wanted = runs.PageRuns(asked.workspace_id, dataset_id=asked.dataset_id, slice=lists.whole(request))
    return reply.json((await points.listed(request, wanted)).items)
