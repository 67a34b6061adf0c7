"""Feedback."""

from aiohttp import web

from libs.contracts import feedback
from services.gateway.dialects.klu import translate, wire
from services.gateway.dialects.klu.routes.nouns import Noun
from services.gateway.engine import ask
from services.gateway.http import reply
from services.gateway.http.body import read
from services.gateway.http.voices import CALLER

routes = web.RouteTableDef()

_noun = Noun(routes, "/v1/feedback", "feedback", feedback.GetFeedback, translate.feedback.reply)
_noun.pages(feedback.PAGE)
_noun.gets(feedback.GET)
_noun.deletes(feedback.DELETE, render=translate.feedback.deleted)


@routes.post("/v1/feedback")
async def create_feedback(request: web.Request) -> web.Response:
    body = await read(request, wire.feedback.CreateFeedback)
    said = await ask(request, feedback.CREATE, translate.feedback.create(request[CALLER], body))
    return reply.json(translate.feedback.echoed(said, body.value))


@routes.put("/v1/feedback/{guid}")
async def update_feedback(request: web.Request) -> web.Response:
    asked, body = _noun.of(request), await read(request, wire.feedback.UpdateFeedback)
    wanted = translate.feedback.update(asked, await ask(request, feedback.GET, asked), body)
    return reply.json(translate.feedback.echoed(await ask(request, feedback.UPDATE, wanted), body.value))
