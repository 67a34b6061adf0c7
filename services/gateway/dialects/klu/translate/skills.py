"""Skills."""

from typing import Any

import msgspec

from libs.contracts import actions, tools
from libs.contracts.faults import Code, Fault
from services.gateway.dialects.klu import wire
from services.gateway.dialects.klu.translate import values
from services.gateway.directory.callers import Caller
from services.gateway.http import misfits, params

_KIND = wire.skills.SkillKind.__struct_fields__
_TYPES = ("http", "openapi", "mcp", "search_context")


def create(caller: Caller, body: wire.skills.CreateSkill) -> tools.CreateTool:
    return tools.CreateTool(
        workspace_id=caller.workspace_id,
        name=body.name,
        kind=_kind(_said(body)),
        description=body.description or "",
        parameters=body.parameters or {},
        headers=body.headers or {},
        timeout=30.0 if body.timeout is None else body.timeout,
        metadata=body.metadata or body.meta_data or {},
        created_by=caller.account_id,
    )


def update(tool: tools.Tool, asked: tools.GetTool, body: wire.skills.UpdateSkill) -> tools.UpdateTool:
    """What a skill does changes field by field, unless it becomes one of another type."""
    changes = _said(body)
    before = msgspec.to_builtins(tool.kind)
    same = changes.get("type", before["type"]) == before["type"]
    kind = _kind({**before, **changes} if same else changes) if changes else msgspec.UNSET
    return tools.UpdateTool(
        workspace_id=asked.workspace_id,
        tool_id=asked.tool_id,
        name=values.kept(body.name),
        kind=kind,
        description=values.kept(body.description),
        parameters=values.kept(body.parameters),
        headers=values.kept(body.headers),
        timeout=values.kept(body.timeout),
        metadata=values.kept(body.metadata if body.metadata is not None else body.meta_data),
    )


def discover(caller: Caller, body: wire.skills.Discover) -> tools.Discover:
    kind = _kind({"operation_id": "", "tool": "", **_said(body)})
    if not isinstance(kind, tools.OpenApi | tools.Mcp):
        raise Fault(Code.INVALID, "There is nothing to discover but of openapi and mcp.", field="type")
    return tools.Discover(caller.workspace_id, kind, body.headers or {})


def set_skills(caller: Caller, asked: actions.GetAction, body: wire.skills.SetSkills) -> actions.UpdateAction:
    ids = [params.guid(text, "skill", field="skills") for text in body.skills]
    return actions.UpdateAction(asked.workspace_id, asked.action_id, tool_ids=ids, updated_by=caller.account_id)


def _said(body: wire.skills.SkillKind) -> dict[str, Any]:
    said = {name: value for name in _KIND if (value := getattr(body, name)) is not None}
    if "context" in said:
        said["context_ids"] = [params.guid(text, "context", field="context") for text in said.pop("context")]
    return said


def _kind(said: dict[str, Any]) -> tools.Kind:
    """Raises Fault INVALID, with the field that is missing or wrong."""
    if said.get("type") not in _TYPES:
        raise Fault(Code.INVALID, f"Expected one of {', '.join(_TYPES)}.", field="type")
    # What an OpenAPI document said of the operation is read from it anew.
    said.pop("request", None)
    try:
        return msgspec.convert(said, tools.Kind)
    except msgspec.ValidationError as error:
        raise misfits.fault(error, tools.Kind) from None


def reply(tool: tools.Tool) -> wire.skills.Skill:
    return wire.skills.Skill(
        guid=str(tool.id),
        name=tool.name,
        description=tool.description,
        parameters=tool.parameters,
        headers=tool.headers,
        timeout=tool.timeout,
        metadata=tool.metadata,
        meta_data=tool.metadata,
        created_by_id=values.spelled(tool.created_by),
        created_at=tool.created_at,
        updated_at=tool.updated_at,
        **_does(tool.kind),
    )


def _does(kind: tools.Kind) -> dict[str, Any]:
    match kind:
        case tools.Http(method, url, places):
            return {"type": "http", "method": method, "url": url, "places": places}
        case tools.OpenApi(operation_id, url, server=server):
            return {"type": "openapi", "operation_id": operation_id, "url": url, "server": server}
        case tools.Mcp(url, tool):
            return {"type": "mcp", "url": url, "tool": tool}
        case tools.SearchContext(context_ids, limit):
            return {"type": "search_context", "context": [str(id) for id in context_ids], "limit": limit}
        case built_in:
            return msgspec.to_builtins(built_in)


def offered(offer: tools.Offered) -> wire.skills.Offered:
    return wire.skills.Offered(offer.name, offer.description, offer.parameters)
