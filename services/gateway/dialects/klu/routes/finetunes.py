"""Fine-tunes: made, begun, and followed."""

from aiohttp import web

from libs.contracts import finetunes
from libs.contracts.finetunes import GetFinetune
from services.gateway.dialects.klu import translate, wire
from services.gateway.dialects.klu.routes import nouns
from services.gateway.engine import ask
from services.gateway.http import reply
from services.gateway.http.body import read
from services.gateway.http.voices import CALLER

routes = web.RouteTableDef()

_NOUN = "fine-tune"
_CANCEL_SECONDS = 45.0
nouns.one(routes, "/v1/finetune/{guid}", _NOUN, translate.finetunes.reply, get=finetunes.GET)
nouns.paged(routes, "/v1/finetune", finetunes.PAGE, translate.finetunes.reply)


def _asked(request: web.Request) -> GetFinetune:
    return nouns.asked(request, GetFinetune, _NOUN)


@routes.post("/v1/finetune")
async def create_finetune(request: web.Request) -> web.Response:
    wanted = translate.finetunes.create(request[CALLER], await read(request, wire.finetunes.CreateFinetune))
    return reply.json(translate.finetunes.reply(await ask(request, finetunes.CREATE, wanted)))


@routes.post("/v1/finetune/process")
async def process_finetune(request: web.Request) -> web.Response:
    wanted = translate.finetunes.process(request[CALLER], await read(request, wire.finetunes.ProcessFinetune))
    return reply.json(translate.finetunes.reply(await ask(request, finetunes.PROCESS, wanted)))


@routes.put("/v1/finetune/{guid}")
async def update_finetune(request: web.Request) -> web.Response:
    wanted = translate.finetunes.update(_asked(request), await read(request, wire.finetunes.UpdateFinetune))
    return reply.json(translate.finetunes.reply(await ask(request, finetunes.UPDATE, wanted)))


@routes.delete("/v1/finetune/{guid}")
async def delete_finetune(request: web.Request) -> web.Response:
    """The provider is asked to cancel what goes on."""
    gone = await ask(request, finetunes.DELETE, _asked(request), timeout=_CANCEL_SECONDS)
    return reply.json(translate.finetunes.reply(gone))


@routes.get("/v1/finetune/{guid}/status")
async def finetune_status(request: web.Request) -> web.Response:
    return reply.json(translate.finetunes.status(await ask(request, finetunes.GET, _asked(request))))
