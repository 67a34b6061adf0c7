"""Documents of a context, and the search in them."""

from datetime import datetime
from typing import Any

from msgspec import UNSET, Struct, UnsetType

from services.gateway.dialects.klu.wire.pages import CAMEL


class AddDocument(Struct, frozen=True, kw_only=True):
    """The API page says `text`, the SDKs say `content`."""

    text: str | None = None
    content: str | None = None
    meta_data: dict[str, Any] | None = None
    name: str | None = None
    filter: str | None = None


class UpdateDocument(Struct, frozen=True, kw_only=True):
    """What is missing or null stays as it is."""

    text: str | None = None
    content: str | None = None
    meta_data: dict[str, Any] | None = None
    filter: str | None = None


class Search(Struct, frozen=True, kw_only=True):
    """The Python SDK sends `metadata_filter`, and parses a bare list; the JavaScript one sends `metadata`."""

    prompt: str
    similarity_score: float | None = None
    number_of_results: int | None = None
    metadata_filter: dict[str, Any] | UnsetType | None = UNSET
    metadata: dict[str, Any] | None = None
    filter: str | None = None


class Document(Struct, frozen=True, kw_only=True, rename=CAMEL):
    guid: str
    name: str
    text: str | None
    content: str | None
    filter: Any = None
    meta_data: dict[str, Any]
    score: float | None = None
    embedding: list[float] | None = None
    status: str
    error: str | None
    url: str | None
    chunks_done: int
    chunks_total: int
    created_at: datetime
    updated_at: datetime


class Added(Document, frozen=True, kw_only=True, rename=CAMEL):
    docs: list[str]


class Passage(Struct, frozen=True, kw_only=True):
    """A passage in the shape of the document that holds it."""

    guid: str
    chunk_guid: str
    context: str
    name: str
    content: str
    text: str
    position: int
    filter: str | None = None
    meta_data: dict[str, Any]
    score: float
    embedding: list[float] | None = None
