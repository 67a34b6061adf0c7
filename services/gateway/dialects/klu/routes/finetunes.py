"""Fine-tunes: made, begun, and followed."""

from aiohttp import web

from libs.contracts import finetunes
from services.gateway.dialects.klu import translate, wire
from services.gateway.dialects.klu.routes.nouns import Noun
from services.gateway.engine import ask
from services.gateway.http import reply
from services.gateway.http.body import read
from services.gateway.http.voices import CALLER

routes = web.RouteTableDef()

# The provider is asked to cancel what goes on.
_CANCEL_SECONDS = 45.0
_noun = Noun(routes, "/v1/finetune", "fine-tune", finetunes.GetFinetune, translate.finetunes.reply)
_noun.creates(finetunes.CREATE, wire.finetunes.CreateFinetune, translate.finetunes.create)
_noun.pages(finetunes.PAGE)
_noun.gets(finetunes.GET)
_noun.updates(finetunes.UPDATE, wire.finetunes.UpdateFinetune, translate.finetunes.update)
_noun.deletes(finetunes.DELETE, timeout=_CANCEL_SECONDS)


@routes.post("/v1/finetune/process")
async def process_finetune(request: web.Request) -> web.Response:
    wanted = translate.finetunes.process(request[CALLER], await read(request, wire.finetunes.ProcessFinetune))
    return await _noun.told(request, finetunes.PROCESS, wanted)


@routes.get("/v1/finetune/{guid}/status")
async def finetune_status(request: web.Request) -> web.Response:
    return reply.json(translate.finetunes.status(await ask(request, finetunes.GET, _noun.of(request))))
