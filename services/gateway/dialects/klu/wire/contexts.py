"""Contexts, and the uploads on their way into them."""

from datetime import datetime
from typing import Any

from msgspec import Struct, field


class CreateContext(Struct, frozen=True, kw_only=True):
    name: str
    description: str | None = None
    type: str | None = None
    meta_data: dict[str, Any] | None = None
    files: list[str] | None = None


class UpdateContext(Struct, frozen=True, kw_only=True):
    name: str | None = None
    description: str | None = None
    meta_data: dict[str, Any] | None = None


class AddFiles(Struct, frozen=True):
    files: list[str]


class PromptContext(Struct, frozen=True, kw_only=True):
    """`responseLength` is in tokens. There is one `responseMode`: an answer from the passages that are found."""

    context: str
    prompt: str
    response_mode: str | None = field(default=None, name="responseMode")
    response_length: int | None = field(default=None, name="responseLength")
    similarity_top_k: int | None = field(default=None, name="similarityTopK")


class EmbedContext(Struct, frozen=True):
    guid: str


class Embedding(Struct, frozen=True):
    msg: str


class Presign(Struct, frozen=True):
    file_name: str


class Presigned(Struct, frozen=True):
    """Strict: an SDK raises at any other key."""

    url: str
    fields: dict[str, str]
    object_url: str


class Context(Struct, frozen=True, kw_only=True, rename={"created_by_id": "createdById"}):
    guid: str
    name: str
    description: str
    type: str
    processed: bool
    meta_data: dict[str, Any]
    documents: int
    chunks: int
    created_by_id: str | None
    created_at: datetime
    updated_at: datetime
