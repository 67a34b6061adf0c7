"""Datasources: contexts, with a type that says what a client means to add. Whatever it says, all kinds can be added."""

from typing import Any

from libs.contracts import contexts
from libs.contracts.faults import Code, Fault
from services.gateway.dialects.llmstack import wire
from services.gateway.directory.callers import Caller
from services.gateway.http import params

TYPES = (
    wire.DatasourceType(1, "text", "Text", "Texts, sent as they are."),
    wire.DatasourceType(2, "url", "URL", "Pages and files that are fetched, and sitemaps."),
    wire.DatasourceType(3, "pdf", "PDF", "PDF files."),
    wire.DatasourceType(4, "file", "File", "Files: PDF, DOCX, HTML, Markdown, CSV and plain text."),
)


def create(caller: Caller, body: wire.CreateDatasource) -> contexts.CreateContext:
    given, field = (body.type_slug, "type_slug") if body.type in (None, "") else (body.type, "type")
    if given in (None, ""):
        raise Fault(Code.INVALID, "This field is required.", field="type")
    return contexts.CreateContext(
        caller.workspace_id, body.name, type=type_of(given, field=field).slug, created_by=caller.account_id
    )


def type_of(given: Any, *, field: str | None = None) -> wire.DatasourceType:
    """By slug or number. Raises Fault NOT_FOUND."""
    text = str(given)
    found = next((each for each in TYPES if text.lower() in (each.slug, str(each.id))), None)
    if found is None:
        raise Fault(Code.NOT_FOUND, f"There is no type {params.shown(text)!r} of datasources.", field=field)
    return found


def update(asked: contexts.GetContext, body: wire.UpdateDatasource) -> contexts.UpdateContext:
    return contexts.UpdateContext(asked.workspace_id, asked.context_id, name=body.name)


def reply(context: contexts.Context) -> wire.Datasource:
    type = _type(context)
    return wire.Datasource(
        uuid=str(context.id),
        name=context.name,
        type=type.slug,
        type_slug=type.slug,
        type_detail=wire.TypeDetail(type.id, type.name, type.description),
        created_at=context.created_at,
        updated_at=context.updated_at,
    )


def _type(context: contexts.Context) -> wire.DatasourceType:
    """A context that was made through another voice has none of these types."""
    own = next((each for each in TYPES if each.slug == context.type), None)
    return own or wire.DatasourceType(0, context.type.lower(), context.type, "Made through another API.")


def newest_first(known: list[contexts.Context]) -> list[wire.Datasource]:
    return [reply(context) for context in sorted(known, key=lambda context: context.updated_at, reverse=True)]
