"""Chat completions: the caller holds the conversation, and sends all of it each time."""

from aiohttp import web

from services.gateway.completions import answering
from services.gateway.dialects.openai import naming, translate, wire
from services.gateway.http.aside import aside
from services.gateway.http.body import read, whole
from services.gateway.http.voices import CALLER

routes = web.RouteTableDef()


@routes.post("/v1/chat/completions")
async def chat_completion(request: web.Request) -> web.StreamResponse:
    body = await read(request, wire.chat.ChatRequest)
    asked = await aside(len(await whole(request)), lambda: translate.chat.asked(body))
    start = translate.starting.start(request[CALLER], await naming.target(request, body.model), asked)
    return await answering.answer(request, start, body)
