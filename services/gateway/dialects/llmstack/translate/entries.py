"""Entries of a datasource: documents, added as a text, as addresses to fetch, or as a file in base64."""

from typing import Any, TypeVar
from uuid import UUID

from msgspec import Struct

from libs.contracts import contexts, documents
from libs.contracts.faults import Code, Fault
from services.gateway.dialects.llmstack import wire
from services.gateway.http import inline

S = TypeVar("S")

FILE = "entry_data.file"
_PROCESSING = "PROCESSING"
_STATUS = {
    documents.Status.PENDING: _PROCESSING,
    documents.Status.INDEXING: _PROCESSING,
    documents.Status.INDEXED: "READY",
    documents.Status.FAILED: "FAILED",
}


class AddFile(Struct, frozen=True):
    """A file that is still to be put where retrieval finds it."""

    context: contexts.GetContext
    file: inline.File
    metadata: dict[str, Any]

    def uploaded(self, id: UUID) -> documents.AddFiles:
        place = self.context.workspace_id, self.context.context_id
        return documents.AddFiles(*place, [f"blob:{id}"], self.metadata)


def add(asked: contexts.GetContext, body: wire.AddEntry) -> documents.AddText | documents.AddFiles | AddFile:
    given = body.entry_data or body.source_data or wire.EntryData()
    place, metadata = (asked.workspace_id, asked.context_id), body.entry_metadata or {}
    urls = [*_urls(given.url), *_urls(given.urls)]
    match (given.content or "").strip(), urls, (given.file or "").strip():
        case str(content), [], "" if content:
            return documents.AddText(*place, given.content or "", (given.name or "").strip(), metadata)
        case "", [_, *_], "":
            return documents.AddFiles(*place, urls, metadata, name=(given.name or "").strip())
        case "", [], str(file) if file:
            return AddFile(asked, inline.file(file, name=(given.name or "").strip(), field=FILE), metadata)
        case _:
            raise Fault(Code.INVALID, "Give one of content, url and file.", field="entry_data")


def _urls(given: str | list[str] | None) -> list[str]:
    """In a text they are parted by commas or line breaks."""
    texts = [given] if isinstance(given, str) else given or []
    return [url for text in texts for part in text.splitlines() for each in part.split(",") if (url := each.strip())]


def added(found: list[documents.Document]) -> wire.Added:
    """Processing goes on after the answer."""
    entries = [str(document.id) for document in found]
    return wire.Added(
        success=True, uuid=entries[0], job_id=entries[0], status=_STATUS[found[0].status], entries=entries
    )


def reply(document: documents.Document, datasource: S) -> wire.Entry[S]:
    return wire.Entry(
        uuid=str(document.id),
        datasource=datasource,
        name=document.name,
        config={},
        size=document.size,
        status=_STATUS[document.status],
        error=document.error,
        metadata=_metadata(document),
        created_at=document.created_at,
        updated_at=document.updated_at,
    )


def bare(document: documents.Document) -> wire.Entry[wire.OfDatasource]:
    return reply(document, wire.OfDatasource(str(document.context_id)))


def text_content(document: documents.Document) -> wire.TextContent:
    return wire.TextContent(document.text or "", _metadata(document))


def _metadata(document: documents.Document) -> dict[str, Any]:
    """With the source that a search finds it by (libs.contracts.search)."""
    return {"source": document.url or document.name} | document.metadata
