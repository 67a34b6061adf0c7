"""Data points. Their address is also the feedback URL: what is sent to it is said of them."""

from aiohttp import web

from libs.contracts import feedback, runs
from services.gateway.dialects.klu import translate, wire
from services.gateway.dialects.klu.routes import points
from services.gateway.engine import ask
from services.gateway.http import params, reply
from services.gateway.http.body import read
from services.gateway.http.voices import CALLER

routes = web.RouteTableDef()


def _asked(request: web.Request) -> runs.GetRun:
    return runs.GetRun(request[CALLER].workspace_id, params.in_path(request, "data point"))


@routes.post("/v1/data")
async def create_data_point(request: web.Request) -> web.Response:
    wanted = translate.data.record(request[CALLER], await read(request, wire.data.CreateData))
    return reply.json(translate.data.reply(await ask(request, runs.RECORD, wanted), []))


@routes.get("/v1/data/{guid}")
async def get_data_point(request: web.Request) -> web.Response:
    return reply.json(await points.one(request, _asked(request)))


@routes.put("/v1/data/{guid}")
async def change_data_point(request: web.Request) -> web.Response:
    """Feedback has a `type`; whatever has none corrects the data point itself."""
    body = await read(request, wire.data.UpdateData)
    if body.type is not None:
        return await _rate(request)
    asked = _asked(request)
    before = await ask(request, runs.GET, asked)
    await ask(request, runs.AMEND, translate.data.amend(asked, before, body))
    return reply.json(await points.one(request, asked))


@routes.post("/v1/data/{guid}")
async def rate_data_point(request: web.Request) -> web.Response:
    return await _rate(request)


async def _rate(request: web.Request) -> web.Response:
    asked, body = _asked(request), await read(request, wire.feedback.CreateFeedback)
    said = await ask(request, feedback.CREATE, translate.feedback.create(request[CALLER], body, asked.run_id))
    return reply.json(translate.feedback.echoed(said, body.value))


@routes.delete("/v1/data/{guid}")
async def delete_data_point(request: web.Request) -> web.Response:
    """It and all that was said of it; the data point as it was."""
    asked = _asked(request)
    said = await ask(request, feedback.OF, feedback.FeedbackOf(asked.workspace_id, [asked.run_id]))
    return reply.json(translate.data.reply(await ask(request, runs.DELETE, asked, timeout=15.0), said))


@routes.post("/v1/data/{guid}/cancel")
async def cancel(request: web.Request) -> web.Response:
    asked = _asked(request)
    await ask(request, runs.CANCEL, asked)
    return reply.json(await points.one(request, asked))
