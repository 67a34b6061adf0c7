"""Documents of a context, and the search in them."""

from typing import Any

from msgspec import UNSET

from libs.contracts import contexts, documents, search
from libs.contracts.faults import Code, Fault
from services.gateway.dialects.klu import wire
from services.gateway.dialects.klu.translate import values
from services.gateway.dialects.klu.translate.contexts import status

_ADDED = "SUCCESS"
FILTER = "filter"
_RESULTS = 10
_MOST_RESULTS = 100


def add(asked: contexts.GetContext, body: wire.documents.AddDocument) -> documents.AddText:
    text = body.text if body.text is not None else body.content
    if text is None:
        raise Fault(Code.INVALID, "This field is required.", field="text")
    return documents.AddText(
        asked.workspace_id,
        asked.context_id,
        text=text,
        name=body.name or "",
        metadata=filtered(body.meta_data or {}, body.filter),
    )


def filtered(filter: dict[str, Any], text: str | None) -> dict[str, Any]:
    """The SDKs' `filter` is a word that a document bears and a search asks for: to us, metadata like any other."""
    return filter | {FILTER: text} if text else filter


def update(
    asked: documents.GetDocument, before: documents.Document, body: wire.documents.UpdateDocument
) -> documents.UpdateDocument:
    given = before.metadata if body.meta_data is None else body.meta_data
    kept = before.metadata.get(FILTER) if body.filter is None else body.filter
    metadata = filtered({name: value for name, value in given.items() if name != FILTER}, kept)
    return documents.UpdateDocument(
        asked.workspace_id,
        asked.context_id,
        asked.document_id,
        text=values.kept(body.text if body.text is not None else body.content),
        metadata=UNSET if metadata == before.metadata else metadata,
    )


def added(document: documents.Document, text: str) -> wire.documents.Added:
    """`status` is that of the adding. How far the reading is, the context's own status says."""
    return wire.documents.Added(**_fields(document, text, _ADDED), docs=[str(document.id)])


def reply(document: documents.Document) -> wire.documents.Document:
    return wire.documents.Document(**_fields(document, document.text, status(document.status)))


def _fields(document: documents.Document, text: str | None, spelled: str) -> dict[str, Any]:
    return {
        "guid": str(document.id),
        "name": document.name,
        "text": text,
        "content": text,
        "filter": document.metadata.get(FILTER),
        "meta_data": document.metadata,
        "status": spelled,
        "error": document.error,
        "url": document.url,
        "chunks_done": document.chunks_done,
        "chunks_total": document.chunks_total,
        "created_at": document.created_at,
        "updated_at": document.updated_at,
    }


def query(asked: contexts.GetContext, body: wire.documents.Search) -> search.Query:
    given = body.metadata_filter
    filter, field = (body.metadata, "metadata") if given is UNSET else (given, "metadata_filter")
    return search.Query(
        workspace_id=asked.workspace_id,
        context_ids=[asked.context_id],
        text=body.prompt,
        limit=_limit(body.number_of_results),
        conditions=search.conditions(filtered(filter or {}, body.filter), field=field),
        min_score=_score(body.similarity_score),
    )


def _limit(given: int | None) -> int:
    if given is None:
        return _RESULTS
    if not 1 <= given <= _MOST_RESULTS:
        raise Fault(Code.INVALID, f"Expected a number from 1 to {_MOST_RESULTS}.", field="number_of_results")
    return given


def _score(given: float | None) -> float:
    if given is not None and not 0 <= given <= 1:
        raise Fault(Code.INVALID, "Expected a number from 0 to 1.", field="similarity_score")
    return given or 0.0


def wants_bare_list(body: wire.documents.Search) -> bool:
    """The Python SDK parses a list, the JavaScript one an object."""
    return body.metadata_filter is not UNSET


def passage(found: search.Passage) -> wire.documents.Passage:
    return wire.documents.Passage(
        guid=str(found.document_id),
        chunk_guid=str(found.chunk_id),
        context=str(found.context_id),
        name=found.name,
        content=found.text,
        text=found.text,
        position=found.position,
        meta_data=found.metadata,
        score=found.score,
    )
