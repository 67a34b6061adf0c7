"""Contexts, and how far the reading of their documents is."""

from collections.abc import Iterable

from libs.contracts import contexts, documents
from services.gateway.dialects.klu import wire
from services.gateway.dialects.klu.translate import values
from services.gateway.directory.callers import Caller

_TYPE = "Custom"


def create(caller: Caller, body: wire.contexts.CreateContext) -> contexts.CreateContext:
    return contexts.CreateContext(
        workspace_id=caller.workspace_id,
        name=body.name,
        description=body.description or "",
        type=body.type or _TYPE,
        metadata=body.meta_data or {},
        created_by=caller.account_id,
    )


def update(asked: contexts.GetContext, body: wire.contexts.UpdateContext) -> contexts.UpdateContext:
    return contexts.UpdateContext(
        asked.workspace_id,
        asked.context_id,
        name=values.kept(body.name),
        description=values.kept(body.description),
        metadata=values.kept(body.meta_data),
    )


def reply(context: contexts.Context) -> wire.contexts.Context:
    return wire.contexts.Context(
        guid=str(context.id),
        name=context.name,
        description=context.description,
        type=context.type,
        processed=context.chunks > 0,
        meta_data=context.metadata,
        documents=context.documents,
        chunks=context.chunks,
        created_by_id=values.spelled(context.created_by),
        created_at=context.created_at,
        updated_at=context.updated_at,
    )


_SPELLED = {
    documents.Status.PENDING: "PENDING",
    documents.Status.INDEXING: "STARTED",
    documents.Status.INDEXED: "SUCCESS",
    documents.Status.FAILED: "FAILURE",
}


def status(of: documents.Status) -> str:
    return _SPELLED[of]


def overall(statuses: Iterable[documents.Status]) -> wire.pages.Status:
    """What is under way goes first, then what failed: a broken file is not hidden by the good ones beside it."""
    found = set(statuses)
    if not found:
        return wire.pages.Status(_SPELLED[documents.Status.INDEXED])
    first = (documents.Status.INDEXING, documents.Status.PENDING, documents.Status.FAILED, documents.Status.INDEXED)
    return wire.pages.Status(_SPELLED[next(status for status in first if status in found)])
