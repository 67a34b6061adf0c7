"""Datasets, and the data points in them."""

from aiohttp import web

from libs.contracts import apps, datasets
from libs.contracts.paging import Slice
from services.gateway.dialects.klu import translate, wire
from services.gateway.dialects.klu.routes import lists, points
from services.gateway.dialects.klu.routes.nouns import Noun
from services.gateway.engine import ask
from services.gateway.http import paging, params, reply
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
async def list_datasets_of_app(request: web.Request) -> web.StreamResponse:
    app = apps.GetApp(request[CALLER].workspace_id, params.in_path(request, "app"))
    await ask(request, apps.GET, app)
    part = paging.of(request, datasets.PAGE, app_id=app.app_id)
    return await lists.bare(request, part, translate.datasets.reply)


@routes.get("/v1/datasets/{guid}/data")
async def list_data_of_dataset(request: web.Request) -> web.StreamResponse:
    await ask(request, datasets.GET, _noun.of(request))
    return await lists.bare(request, _points(request), points.itself)


@routes.put("/v1/datasets/{guid}/data")
async def add_data(request: web.Request) -> web.Response:
    asked, added = _noun.of(request), translate.datasets.points((await read(request, wire.datasets.Points)).data)
    await ask(request, datasets.UPDATE, datasets.UpdateDataset(asked.workspace_id, asked.dataset_id, added=added))
    return await _newest(request)


@routes.delete("/v1/datasets/{guid}/data")
async def remove_data(request: web.Request) -> web.Response:
    asked, removed = _noun.of(request), translate.datasets.points((await read(request, wire.datasets.Points)).data)
    await ask(request, datasets.UPDATE, datasets.UpdateDataset(asked.workspace_id, asked.dataset_id, removed=removed))
    return await _newest(request)


@routes.get("/v1/datasets/{guid}/export")
async def export_dataset(request: web.Request) -> web.Response:
    """As a training file."""
    asked = _noun.of(request)
    lines = await ask(request, datasets.EXPORT, asked, timeout=_EXPORT_SECONDS)
    named = {"Content-Disposition": f'attachment; filename="{asked.dataset_id}.jsonl"'}
    return web.Response(body=lines, content_type="application/jsonl", headers=named)


def _points(request: web.Request) -> paging.Part[wire.data.DataPoint]:
    return points.of(request, dataset_id=_noun.of(request).dataset_id)


async def _newest(request: web.Request) -> web.Response:
    """As many as one answer tells: a change is answered at once, so that it can be repeated."""
    return reply.json((await _points(request)(Slice(limit=paging.MOST))).items)
