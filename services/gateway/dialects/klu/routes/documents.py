"""Documents of a context, and the search in them."""

from aiohttp import web

from libs.contracts import contexts, documents, search
from services.gateway.dialects.klu import translate, wire
from services.gateway.dialects.klu.routes import lists
from services.gateway.dialects.klu.routes.contexts import asked
from services.gateway.engine import ask
from services.gateway.http import paging, params, reply
from services.gateway.http.body import read
from services.gateway.http.fields import called

routes = web.RouteTableDef()

# Characters of a page of documents.
_TEXTS = 4_000_000


def _document(request: web.Request) -> documents.GetDocument:
    context = asked(request)
    id = params.in_path(request, "document", name="document")
    return documents.GetDocument(context.workspace_id, context.context_id, id)


@routes.post("/v1/context/{guid}/documents")
@routes.post("/v1/contexts/{guid}/documents")
async def add_document(request: web.Request) -> web.Response:
    wanted = translate.documents.add(asked(request), await read(request, wire.documents.AddDocument))
    with called(metadata="meta_data"):
        added = await ask(request, documents.ADD_TEXT, wanted)
    return reply.json(translate.documents.added(added, wanted.text))


@routes.get("/v1/context/{guid}/documents")
@routes.get("/v1/contexts/{guid}/documents")
async def list_documents(request: web.Request) -> web.StreamResponse:
    part = paging.of(request, documents.PAGE, context_id=asked(request).context_id, texts=_TEXTS)
    return await lists.rows(request, part, translate.documents.reply)


@routes.delete("/v1/context/{guid}/documents")
@routes.delete("/v1/contexts/{guid}/documents")
async def delete_documents(request: web.Request) -> web.Response:
    context = asked(request)
    await ask(request, documents.DELETE_ALL, documents.DeleteDocuments(context.workspace_id, context.context_id))
    return reply.json(wire.pages.Status("SUCCESS"))


@routes.get("/v1/context/{guid}/documents/{document}")
@routes.get("/v1/contexts/{guid}/documents/{document}")
async def get_document(request: web.Request) -> web.Response:
    return reply.json(translate.documents.reply(await ask(request, documents.GET, _document(request))))


@routes.put("/v1/context/{guid}/documents/{document}")
@routes.put("/v1/contexts/{guid}/documents/{document}")
async def update_document(request: web.Request) -> web.Response:
    named, body = _document(request), await read(request, wire.documents.UpdateDocument)
    before = await ask(request, documents.GET, named)
    wanted = translate.documents.update(named, before, body)
    with called(metadata="meta_data", text="content"):
        return reply.json(translate.documents.reply(await ask(request, documents.UPDATE, wanted)))


@routes.delete("/v1/context/{guid}/documents/{document}")
@routes.delete("/v1/contexts/{guid}/documents/{document}")
async def delete_document(request: web.Request) -> web.Response:
    return reply.json(translate.documents.reply(await ask(request, documents.DELETE, _document(request))))


@routes.post("/v1/context/{guid}/search")
@routes.post("/v1/contexts/{guid}/search")
async def search_context(request: web.Request) -> web.Response:
    context, body = asked(request), await read(request, wire.documents.Search)
    wanted = translate.documents.query(context, body)
    await ask(request, contexts.GET, context)
    with called(text="prompt", limit="number_of_results"):
        passages = await ask(request, search.QUERY, wanted)
    found = [translate.documents.passage(passage) for passage in passages]
    return reply.json(found if translate.documents.wants_bare_list(body) else wire.pages.Rows(found))
