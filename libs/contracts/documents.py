"""Documents: what a context knows, read, cut into chunks and embedded by a job that shows its progress.

Owner: retrieval.
"""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from msgspec import UNSET, Struct, UnsetType

from libs.contracts.paging import Page, Slice
from libs.contracts.subjects import Event, Rpc


class Status(StrEnum):
    PENDING = "pending"
    INDEXING = "indexing"
    INDEXED = "indexed"
    FAILED = "failed"


class Document(Struct, frozen=True):
    """`text` is filled where it is asked for, `error` says to a person why it failed; `size` is in bytes."""

    id: UUID
    workspace_id: UUID
    context_id: UUID
    name: str
    status: Status
    metadata: dict[str, Any]
    chunks_done: int
    chunks_total: int
    size: int
    created_at: datetime
    updated_at: datetime
    url: str | None = None
    error: str | None = None
    text: str | None = None


class AddText(Struct, frozen=True):
    workspace_id: UUID
    context_id: UUID
    text: str
    name: str = ""
    metadata: dict[str, Any] = {}
    id: UUID | None = None


class AddFiles(Struct, frozen=True):
    """Each URL becomes a document: an address to fetch through the egress guard, or the `blob:` URL of an upload.

    A sitemap (`….xml`) becomes one document for each page that it names, beside its own, which holds their addresses.
    `name` is that of one file alone; the documents' ids are derived from `id`.
    """

    workspace_id: UUID
    context_id: UUID
    urls: list[str]
    metadata: dict[str, Any] = {}
    id: UUID | None = None
    name: str = ""


class GetDocument(Struct, frozen=True):
    workspace_id: UUID
    context_id: UUID
    document_id: UUID


class FindDocument(Struct, frozen=True):
    """A document of whichever context."""

    workspace_id: UUID
    document_id: UUID


class PageDocuments(Struct, frozen=True):
    """`texts`: how many characters of texts the page may hold; documents beyond it come without theirs."""

    workspace_id: UUID
    context_id: UUID
    slice: Slice = Slice()
    texts: int = 0


class UpdateDocument(Struct, frozen=True):
    """What is UNSET stays as it is. A text takes the place of what the document was read from; it is indexed anew."""

    workspace_id: UUID
    context_id: UUID
    document_id: UUID
    text: str | UnsetType = UNSET
    metadata: dict[str, Any] | UnsetType = UNSET


class DeleteDocuments(Struct, frozen=True):
    """All documents of a context."""

    workspace_id: UUID
    context_id: UUID


class DocumentIndexed(Struct, frozen=True):
    workspace_id: UUID
    context_id: UUID
    document_id: UUID
    name: str
    chunks: int


class DocumentFailed(Struct, frozen=True):
    workspace_id: UUID
    context_id: UUID
    document_id: UUID
    name: str
    error: str


class DocumentsErased(Struct, frozen=True):
    """These documents are no more, and none of their text is to be kept. A thousand ids at most."""

    workspace_id: UUID
    context_id: UUID
    document_ids: list[UUID]


ADD_TEXT = Rpc("rpc.retrieval.documents.add_text", AddText, Document)
ADD_FILES = Rpc("rpc.retrieval.documents.add_files", AddFiles, list[Document])
GET = Rpc("rpc.retrieval.documents.get", GetDocument, Document)
FIND = Rpc("rpc.retrieval.documents.find", FindDocument, Document)
PAGE = Rpc("rpc.retrieval.documents.page", PageDocuments, Page[Document])
UPDATE = Rpc("rpc.retrieval.documents.update", UpdateDocument, Document)
DELETE = Rpc("rpc.retrieval.documents.delete", GetDocument, Document)
DELETE_ALL = Rpc("rpc.retrieval.documents.delete_all", DeleteDocuments, int)
INDEXED = Event("event.retrieval.documents.indexed", DocumentIndexed)
FAILED = Event("event.retrieval.documents.failed", DocumentFailed)
ERASED = Event("event.retrieval.documents.erased", DocumentsErased)
