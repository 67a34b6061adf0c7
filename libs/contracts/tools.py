"""Tools: what a model may call while it answers. Klu calls one a skill.

Owner: runner, which calls them. What a tool's headers say comes in and is never given out again. A tool without a
workspace belongs to the installation and is there for every workspace.
"""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from msgspec import UNSET, Struct, UnsetType

from libs.contracts.paging import Page, Slice
from libs.contracts.subjects import Rpc

Method = Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]
# Where an argument goes: into the URL's path, its query, a header, a field of a JSON body, or it is that body.
Place = Literal["path", "query", "header", "field", "body"]


class Offered(Struct, frozen=True):
    """A tool as a model sees it. `parameters` is the JSON Schema of an object."""

    name: str
    description: str = ""
    parameters: dict[str, Any] = {}


class Http(Struct, frozen=True, tag="http"):
    """A request. `{name}` in the path or query of `url` stands for an argument.

    One that has no place of its own goes where the URL names it, else into the query of GET, HEAD and DELETE and into
    the JSON body of the others.
    """

    method: Method
    url: str
    places: dict[str, Place] = {}


class OpenApi(Struct, frozen=True, tag="openapi"):
    """An operation of an OpenAPI document, which is given or lies at `url`: read when the tool is made or changed.

    `document` is not kept; `request` is what the operation came to, whoever makes the tool leaves it out. `server` goes
    before the document's own.
    """

    operation_id: str
    url: str = ""
    document: dict[str, Any] | None = None
    server: str = ""
    request: Http | None = None


class Mcp(Struct, frozen=True, tag="mcp"):
    """The tool `tool` of an MCP server, spoken to over streamable HTTP."""

    url: str
    tool: str


class SearchContext(Struct, frozen=True, tag="search_context"):
    """A search of these contexts, or of those of the action that runs. What it finds are sources of the run."""

    context_ids: list[UUID] = []
    limit: int = 5


class SearchContacts(Struct, frozen=True, tag="search_contacts"):
    """A search of the workspace's contacts."""


class GetContact(Struct, frozen=True, tag="get_contact"):
    """All that is known of one."""


class ListAutomations(Struct, frozen=True, tag="list_automations"):
    """The workspace's automations."""


class ListAutomationRuns(Struct, frozen=True, tag="list_automation_runs"):
    """How they went lately."""


# What only reads what the workspace has, and is there in every one.
BuiltIn = SearchContacts | GetContact | ListAutomations | ListAutomationRuns
Kind = Http | OpenApi | Mcp | SearchContext | BuiltIn


class Tool(Struct, frozen=True):
    """`headers` are the names of what is sent along, each with `…` for its value. `timeout` is in seconds."""

    id: UUID
    workspace_id: UUID | None
    name: str
    description: str
    parameters: dict[str, Any]
    kind: Kind
    headers: dict[str, str]
    timeout: float
    metadata: dict[str, Any]
    created_by: UUID | None
    created_at: datetime
    updated_at: datetime


class CreateTool(Struct, frozen=True):
    """An operation and an MCP server's tool bring their own `parameters` and, where none is given, `description`."""

    workspace_id: UUID
    name: str
    kind: Kind
    description: str = ""
    parameters: dict[str, Any] = {}
    headers: dict[str, str] = {}
    timeout: float = 30.0
    metadata: dict[str, Any] = {}
    created_by: UUID | None = None
    id: UUID | None = None


class GetTool(Struct, frozen=True):
    workspace_id: UUID
    tool_id: UUID


class PageTools(Struct, frozen=True):
    """`action_id`: only the tools of that action, in its order."""

    workspace_id: UUID
    action_id: UUID | None = None
    slice: Slice = Slice()


class UpdateTool(Struct, frozen=True):
    """What is UNSET stays as it is, and so does a header whose value is `…`."""

    workspace_id: UUID
    tool_id: UUID
    name: str | UnsetType = UNSET
    kind: Kind | UnsetType = UNSET
    description: str | UnsetType = UNSET
    parameters: dict[str, Any] | UnsetType = UNSET
    headers: dict[str, str] | UnsetType = UNSET
    timeout: float | UnsetType = UNSET
    metadata: dict[str, Any] | UnsetType = UNSET


class Discover(Struct, frozen=True):
    """Asks what an OpenAPI document or an MCP server offers; the operation or tool that `source` names is ignored."""

    workspace_id: UUID
    source: OpenApi | Mcp
    headers: dict[str, str] = {}


CREATE = Rpc("rpc.runner.tools.create", CreateTool, Tool)
GET = Rpc("rpc.runner.tools.get", GetTool, Tool)
PAGE = Rpc("rpc.runner.tools.page", PageTools, Page[Tool])
UPDATE = Rpc("rpc.runner.tools.update", UpdateTool, Tool)
DELETE = Rpc("rpc.runner.tools.delete", GetTool, Tool)
DISCOVER = Rpc("rpc.runner.tools.discover", Discover, list[Offered])
