"""Contexts: a library of documents that actions are grounded in. LLMStack calls one a datasource.

Owner: retrieval. `revision` grows with every change to what a search in the context could find.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from msgspec import UNSET, Struct, UnsetType

from libs.contracts.documents import Status
from libs.contracts.paging import Page, Slice
from libs.contracts.subjects import Rpc


class Context(Struct, frozen=True):
    id: UUID
    workspace_id: UUID
    name: str
    description: str
    type: str
    metadata: dict[str, Any]
    revision: int
    documents: int
    chunks: int
    created_by: UUID | None
    created_at: datetime
    updated_at: datetime


class CreateContext(Struct, frozen=True):
    workspace_id: UUID
    name: str
    description: str = ""
    type: str = "Custom"
    metadata: dict[str, Any] = {}
    created_by: UUID | None = None
    id: UUID | None = None


class GetContext(Struct, frozen=True):
    workspace_id: UUID
    context_id: UUID


class PageContexts(Struct, frozen=True):
    workspace_id: UUID
    slice: Slice = Slice()


class UpdateContext(Struct, frozen=True):
    """What is UNSET stays as it is."""

    workspace_id: UUID
    context_id: UUID
    name: str | UnsetType = UNSET
    description: str | UnsetType = UNSET
    metadata: dict[str, Any] | UnsetType = UNSET


class GetRevisions(Struct, frozen=True):
    workspace_id: UUID
    context_ids: list[UUID]


CREATE = Rpc("rpc.retrieval.contexts.create", CreateContext, Context)
GET = Rpc("rpc.retrieval.contexts.get", GetContext, Context)
PAGE = Rpc("rpc.retrieval.contexts.page", PageContexts, Page[Context])
UPDATE = Rpc("rpc.retrieval.contexts.update", UpdateContext, Context)
DELETE = Rpc("rpc.retrieval.contexts.delete", GetContext, Context)
REINDEX = Rpc("rpc.retrieval.contexts.reindex", GetContext, Context)
# How far its documents are, each of their statuses once.
STATUSES = Rpc("rpc.retrieval.contexts.statuses", GetContext, list[Status])
REVISIONS = Rpc("rpc.retrieval.contexts.revisions", GetRevisions, dict[UUID, int])
