"""Contexts: libraries of documents, and how far their reading is."""

from aiohttp import web

from libs.contracts import contexts, documents
from libs.contracts.faults import Fault
from services.gateway.dialects.klu import translate, wire
from services.gateway.dialects.klu.routes import uploads
from services.gateway.dialects.klu.routes.nouns import Noun
from services.gateway.engine import ask
from services.gateway.http import effect, params, reply
from services.gateway.http.body import read
from services.gateway.http.fields import called
from services.gateway.http.voices import CALLER

routes = web.RouteTableDef()

for _root in ("/v1/context", "/v1/contexts"):
    _noun = Noun(routes, _root, "context", contexts.GetContext, translate.contexts.reply)
    _noun.lists(contexts.PAGE)
    _noun.gets(contexts.GET)
    _noun.deletes(contexts.DELETE)


def asked(request: web.Request) -> contexts.GetContext:
    return contexts.GetContext(request[CALLER].workspace_id, params.in_path(request, "context"))


@routes.post("/v1/context")
@routes.post("/v1/contexts")
async def create_context(request: web.Request) -> web.Response:
    body = await read(request, wire.contexts.CreateContext)
    urls = uploads.resolved(request, body.files or [])
    with called(metadata="meta_data"):
        made = await ask(request, contexts.CREATE, translate.contexts.create(request[CALLER], body))
    if urls:
        await _add_first(request, contexts.GetContext(made.workspace_id, made.id), urls)
    return reply.json(translate.contexts.reply(made))


async def _add_first(request: web.Request, context: contexts.GetContext, urls: list[str]) -> None:
    """A context whose files are refused was not created."""
    try:
        await _add(request, context, urls)
    except Fault:
        await ask(request, contexts.DELETE, context)
        effect.undone(request)
        raise


async def _add(request: web.Request, context: contexts.GetContext, urls: list[str]) -> None:
    with called(urls="files"):
        await ask(request, documents.ADD_FILES, documents.AddFiles(context.workspace_id, context.context_id, urls))


@routes.put("/v1/context/{guid}")
@routes.put("/v1/contexts/{guid}")
async def update_context(request: web.Request) -> web.Response:
    wanted = translate.contexts.update(asked(request), await read(request, wire.contexts.UpdateContext))
    with called(metadata="meta_data"):
        return reply.json(translate.contexts.reply(await ask(request, contexts.UPDATE, wanted)))


@routes.post("/v1/context/{guid}/add_files")
@routes.post("/v1/contexts/{guid}/add_files")
async def add_files(request: web.Request) -> web.Response:
    context = asked(request)
    await _add(request, context, uploads.resolved(request, (await read(request, wire.contexts.AddFiles)).files))
    return reply.json(translate.contexts.reply(await ask(request, contexts.GET, context)))


@routes.post("/v1/context/embed")
@routes.post("/v1/contexts/embed")
async def embed_context(request: web.Request) -> web.Response:
    """Documents are embedded as they come; this embeds them anew."""
    body = await read(request, wire.contexts.EmbedContext)
    named = contexts.GetContext(request[CALLER].workspace_id, params.guid(body.guid, "context"))
    made = await ask(request, contexts.REINDEX, named)
    return reply.json(wire.contexts.Embedding(f"{made.documents} documents of {made.name} are being embedded."))


@routes.post("/v1/context/{guid}/status")
@routes.post("/v1/contexts/{guid}/status")
async def context_status(request: web.Request) -> web.Response:
    return reply.json(translate.contexts.overall(await ask(request, contexts.STATUSES, asked(request))))
