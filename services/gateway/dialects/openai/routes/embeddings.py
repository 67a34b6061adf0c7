"""Embeddings by the installation's embedding model, a batch of texts after the other."""

from aiohttp import web

from libs.contracts import embeddings
from services.gateway.dialects.openai import translate, wire
from services.gateway.engine import ask
from services.gateway.http import reply
from services.gateway.http.body import read
from services.gateway.http.voices import CALLER

routes = web.RouteTableDef()

_BATCH = 256
_SECONDS = 60.0


@routes.post("/v1/embeddings")
async def embed(request: web.Request) -> web.Response:
    body = await read(request, wire.embeddings.EmbeddingRequest)
    texts = translate.embeddings.texts(body)
    name = (await _embedded(request, [])).model
    if body.model != name:
        raise translate.embeddings.other(body.model, name)
    batches = [texts[start : start + _BATCH] for start in range(0, len(texts), _BATCH)]
    return reply.json(translate.embeddings.reply(body, [await _embedded(request, batch) for batch in batches]))


async def _embedded(request: web.Request, texts: list[str]) -> embeddings.Embedded:
    wanted = embeddings.EmbedTexts(request[CALLER].workspace_id, texts)
    return await ask(request, embeddings.EMBED, wanted, timeout=_SECONDS)
