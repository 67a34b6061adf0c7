"""Feedback."""

from aiohttp import web

from libs.contracts import feedback
from services.gateway.dialects.klu import translate, wire
from services.gateway.dialects.klu.routes import nouns
from services.gateway.engine import ask
from services.gateway.http import reply
from services.gateway.http.body import read
from services.gateway.http.voices import CALLER

routes = web.RouteTableDef()

nouns.one(
    routes,
    "/v1/feedback/{guid}",
    "feedback",
    translate.feedback.reply,
    get=feedback.GET,
    delete=feedback.DELETE,
    deleted=translate.feedback.deleted,
)
nouns.paged(routes, "/v1/feedback", feedback.PAGE, translate.feedback.reply)


def _asked(request: web.Request) -> feedback.GetFeedback:
    return nouns.asked(request, feedback.GetFeedback, "feedback")


@routes.post("/v1/feedback")
async def create_feedback(request: web.Request) -> web.Response:
    body = await read(request, wire.feedback.CreateFeedback)
    said = await ask(request, feedback.CREATE, translate.feedback.create(request[CALLER], body))
    return reply.json(translate.feedback.echoed(said, body.value))


@routes.put("/v1/feedback/{guid}")
async def update_feedback(request: web.Request) -> web.Response:
    asked, body = _asked(request), await read(request, wire.feedback.UpdateFeedback)
    wanted = translate.feedback.update(asked, await ask(request, feedback.GET, asked), body)
    return reply.json(translate.feedback.echoed(await ask(request, feedback.UPDATE, wanted), body.value))
