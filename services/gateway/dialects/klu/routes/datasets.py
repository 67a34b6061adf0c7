"""Datasets, and the data points in them."""

from aiohttp import web

from libs.contracts import apps, datasets, runs
from libs.contracts.datasets import GetDataset
from services.gateway.dialects.klu import translate, wire
from services.gateway.dialects.klu.routes import lists, nouns, points
from services.gateway.engine import ask
from services.gateway.http import params, reply
from services.gateway.http.body import read
from services.gateway.http.voices import CALLER

routes = web.RouteTableDef()

_NOUN = "dataset"
_EXPORT_SECONDS = 60.0
nouns.one(
    routes,
    "/v1/datasets/{guid}",
    _NOUN,
    translate.datasets.reply,
    get=datasets.GET,
    delete=datasets.DELETE,
)
nouns.paged(routes, "/v1/datasets", datasets.PAGE, translate.datasets.reply)


def _asked(request: web.Request) -> GetDataset:
    return nouns.asked(request, GetDataset, _NOUN)


@routes.post("/v1/datasets")
async def create_dataset(request: web.Request) -> web.Response:
    wanted = translate.datasets.create(request[CALLER], await read(request, wire.datasets.CreateDataset))
    return reply.json(translate.datasets.reply(await ask(request, datasets.CREATE, wanted)))


@routes.get("/v1/datasets/app/{guid}")
async def list_datasets_of_app(request: web.Request) -> web.Response:
    app = apps.GetApp(request[CALLER].workspace_id, params.in_path(request, "app"))
    await ask(request, apps.GET, app)
    wanted = datasets.PageDatasets(app.workspace_id, app.app_id, slice=lists.whole(request))
    page = await ask(request, datasets.PAGE, wanted)
    return reply.json([translate.datasets.reply(dataset) for dataset in page.items])


@routes.put("/v1/datasets/{guid}")
async def update_dataset(request: web.Request) -> web.Response:
    wanted = translate.datasets.update(_asked(request), await read(request, wire.datasets.UpdateDataset))
    return reply.json(translate.datasets.reply(await ask(request, datasets.UPDATE, wanted)))


@routes.get("/v1/datasets/{guid}/data")
async def list_data_of_dataset(request: web.Request) -> web.Response:
    await ask(request, datasets.GET, _asked(request))
    return await _points(request)


@routes.put("/v1/datasets/{guid}/data")
async def add_data(request: web.Request) -> web.Response:
    asked, added = _asked(request), translate.datasets.points((await read(request, wire.datasets.Points)).data)
    await ask(request, datasets.UPDATE, datasets.UpdateDataset(asked.workspace_id, asked.dataset_id, added=added))
    return await _points(request)


@routes.delete("/v1/datasets/{guid}/data")
async def remove_data(request: web.Request) -> web.Response:
    asked, removed = _asked(request), translate.datasets.points((await read(request, wire.datasets.Points)).data)
    await ask(request, datasets.UPDATE, datasets.UpdateDataset(asked.workspace_id, asked.dataset_id, removed=removed))
    return await _points(request)


@routes.get("/v1/datasets/{guid}/export")
async def export_dataset(request: web.Request) -> web.Response:
    """As a training file."""
    asked = _asked(request)
    lines = await ask(request, datasets.EXPORT, asked, timeout=_EXPORT_SECONDS)
    named = {"Content-Disposition": f'attachment; filename="{asked.dataset_id}.jsonl"'}
    return web.Response(body=lines, content_type="application/jsonl", headers=named)


async def _points(request: web.Request) -> web.Response:
    asked = _asked(request)
    wanted = runs.PageRuns(asked.workspace_id, dataset_id=asked.dataset_id, slice=lists.whole(request))
    return reply.json((await points.listed(request, wanted)).items)
