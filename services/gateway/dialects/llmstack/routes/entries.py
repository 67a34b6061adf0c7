"""Entries of datasources, under the addresses of LLMStack's page and under those of its servers."""

from aiohttp import web

from libs.contracts import contexts, documents
from services.gateway.dialects.llmstack import translate, wire
from services.gateway.dialects.llmstack.routes.datasources import asked
from services.gateway.engine import ask
from services.gateway.http import inline, paging, params, reply
from services.gateway.http.body import read, up_to
from services.gateway.http.fields import called
from services.gateway.http.voices import CALLER

routes = web.RouteTableDef()

# A file of 50 MiB in base64, line breaks and what stands beside it included.
MOST_BYTES = 72 << 20


def _entry(request: web.Request) -> documents.GetDocument:
    context = asked(request)
    return documents.GetDocument(
        context.workspace_id, context.context_id, params.in_path(request, "entry", name="document")
    )


async def _found(request: web.Request) -> documents.Document:
    """The entry of an address that does not say its datasource."""
    id = params.in_path(request, "entry", name="document")
    return await ask(request, documents.FIND, documents.FindDocument(request[CALLER].workspace_id, id))


@routes.post("/api/datasources/{guid}/entries")
@routes.post("/api/datasources/{guid}/add_entry")
@routes.post("/api/datasources/{guid}/add_entry_async")
@up_to(MOST_BYTES)
async def add_entry(request: web.Request) -> web.StreamResponse:
    wanted = translate.entries.add(asked(request), await read(request, wire.AddEntry))
    with called(text="entry_data.content", urls="entry_data.url", metadata="entry_metadata"):
        return reply.json(translate.entries.added(await _add(request, wanted)), status=202)


async def _add(
    request: web.Request, wanted: documents.AddText | documents.AddFiles | translate.entries.AddFile
) -> list[documents.Document]:
    match wanted:
        case documents.AddText():
            return [await ask(request, documents.ADD_TEXT, wanted)]
        case documents.AddFiles():
            return await ask(request, documents.ADD_FILES, wanted)
        case translate.entries.AddFile():
            await ask(request, contexts.GET, wanted.context)
            id = await inline.store(request, wanted.file, field=translate.entries.FILE)
            return await ask(request, documents.ADD_FILES, wanted.uploaded(id))


@routes.get("/api/datasources/{guid}/entries")
async def list_entries(request: web.Request) -> web.Response:
    context = await ask(request, contexts.GET, asked(request))
    shown = translate.datasources.reply(context)
    found = await paging.every(request, documents.PAGE, context_id=context.id)
    return reply.json([translate.entries.reply(document, shown) for document in found])


@routes.get("/api/datasources/{guid}/entries/{document}")
async def get_entry(request: web.Request) -> web.Response:
    return reply.json(translate.entries.bare(await ask(request, documents.GET, _entry(request))))


@routes.get("/api/datasource_entries/{document}")
async def get_found_entry(request: web.Request) -> web.Response:
    return reply.json(translate.entries.bare(await _found(request)))


@routes.get("/api/datasources/{guid}/entries/{document}/text_content")
async def get_text(request: web.Request) -> web.Response:
    return reply.json(translate.entries.text_content(await ask(request, documents.GET, _entry(request))))


@routes.get("/api/datasource_entries/{document}/text_content")
async def get_found_text(request: web.Request) -> web.Response:
    return reply.json(translate.entries.text_content(await _found(request)))


@routes.delete("/api/datasources/{guid}/entries/{document}")
async def delete_entry(request: web.Request) -> web.Response:
    await ask(request, documents.DELETE, _entry(request))
    return web.Response(status=202)


@routes.delete("/api/datasource_entries/{document}")
async def delete_found_entry(request: web.Request) -> web.Response:
    document = await _found(request)
    await ask(
        request,
        documents.DELETE,
        documents.GetDocument(document.workspace_id, document.context_id, document.id),
    )
    return web.Response(status=202)
