"""Tools of a workspace: what `rpc.runner.tools.*` answers. What would not work is refused here; headers come in sealed.

An operation's or an MCP tool's parameters are asked for when it is made and when its kind is given anew: what is stored
is all that a call needs.
"""

import asyncio
import re
from datetime import UTC, datetime
from uuid import UUID

import msgspec
from msgspec import UNSET

from libs.contracts import contexts, ids, tools
from libs.contracts.faults import Code, Fault, not_found
from libs.contracts.paging import Page
from libs.contracts.tools import CreateTool, Discover, GetTool, Offered, PageTools, Tool, UpdateTool
from libs.postgres.changes import changed
from libs.postgres.database import Database
from libs.runtime.foundation import Service
from services.runner.catalog import TOOL, Catalog
from services.runner.keys import Keys
from services.runner.prompting.schemas import Schemas
from services.runner.storable import storable
from services.runner.store import tools as stored
from services.runner.tools import http, mcp, searching
from services.runner.tools.documents import Documents
from services.runner.tools.headers import KEPT, check_headers, renewed
from services.runner.tools.openapi import Document
from services.runner.tools.ready import CHOICES

_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_LONGEST_TIMEOUT = 300


class Tools:
    def __init__(self, service: Service, catalog: Catalog, keys: Keys, schemas: Schemas) -> None:
        self._database: Database = service.database
        self._bus, self._egress, self._catalog, self._keys = service.bus, service.egress, catalog, keys
        self._schemas, self._documents = schemas, Documents(service.egress)

    async def create(self, asked: CreateTool) -> Tool:
        """Raises Fault: INVALID for what would not work, NOT_FOUND for a context, what the document's or MCP server's
        address answers.
        """
        asked, id = storable(asked), asked.id or ids.new()
        if asked.id is not None and (made := await stored.get(self._database, asked.workspace_id, id)) is not None:
            return made
        tool = await self._derived(_made(asked, id), asked.workspace_id, asked.headers)
        await self._check(tool, asked.headers)
        async with self._catalog.changing() as connection:
            await stored.put(connection, _masked(tool), self._keys.seal_headers(id, asked.headers))
            await changed(connection, TOOL, str(id))
        return await self.get(GetTool(asked.workspace_id, id))

    async def get(self, asked: GetTool) -> Tool:
        tool = await stored.get(self._database, asked.workspace_id, asked.tool_id)
        if tool is None:
            raise not_found("tool", asked.tool_id)
        return tool

    async def page(self, asked: PageTools) -> Page[Tool]:
        return await stored.page(self._database, asked)

    async def update(self, asked: UpdateTool) -> Tool:
        """Raises Fault as `create` does."""
        asked = storable(asked)
        before = await self._own(GetTool(asked.workspace_id, asked.tool_id))
        headers = self._renewed(before, asked)
        changes = {name: value for name in _CHANGING if (value := getattr(asked, name)) is not UNSET}
        tool = msgspec.structs.replace(before.tool, **changes, headers=headers)
        if asked.kind is not UNSET:
            tool = await self._derived(tool, asked.workspace_id, headers)
        await self._check(tool, headers)
        async with self._catalog.changing() as connection:
            if await stored.lock(connection, tool.id) is None:
                raise not_found("tool", tool.id)
            await stored.put(connection, _masked(tool), self._keys.seal_headers(tool.id, headers))
            await changed(connection, TOOL, str(tool.id))
        return await self.get(GetTool(asked.workspace_id, tool.id))

    async def delete(self, asked: GetTool) -> Tool:
        """The tool as it was. Actions that had it go on without it."""
        tool = (await self._own(asked)).tool
        async with self._catalog.changing() as connection:
            await stored.delete(connection, tool.id)
            await changed(connection, TOOL, str(tool.id))
        return tool

    async def discover(self, asked: Discover) -> list[Offered]:
        """What the document or server offers. Raises Fault as `create` does."""
        match asked.source:
            case tools.OpenApi() as source:
                document = await self._document(source, asked.headers)
                # In a thread: a large document has hundreds of operations.
                return await asyncio.to_thread(document.offered)
            case tools.Mcp(url):
                return await mcp.listed(self._egress, url, asked.headers)

    async def _own(self, asked: GetTool) -> stored.Stored:
        found = await stored.of_any_workspace(self._database, asked.tool_id)
        if found is None or found.tool.workspace_id not in (asked.workspace_id, None):
            raise not_found("tool", asked.tool_id)
        if found.tool.workspace_id is None:
            message = f"The tool {found.tool.name} belongs to the installation: it can't be changed here."
            raise Fault(Code.FORBIDDEN, message)
        return found

    def _renewed(self, before: stored.Stored, asked: UpdateTool) -> dict[str, str]:
        """The headers as they shall be: those whose value is `…` stay as they are."""
        known = self._keys.open_headers(before.tool.id, before.sealed_headers)
        if asked.headers is UNSET:
            return known
        return renewed(asked.headers, known)

    async def _derived(self, tool: Tool, workspace_id: UUID, headers: dict[str, str]) -> Tool:
        """With what its source says of it."""
        match tool.kind:
            case tools.OpenApi() as source:
                document = await self._document(source, headers)
                operation = document.operation(source.operation_id)
                request = document.request(operation, source.server)
                offered = document.offer(operation)
                kind: tools.Kind = msgspec.structs.replace(source, document=None, request=request)
            case tools.Mcp(url, name) as kind:
                known = {offered.name: offered for offered in await mcp.listed(self._egress, url, headers)}
                if (offered := known.get(name)) is None:
                    message = f"The MCP server has no tool {name!r}: it has {', '.join(known) or 'none'}."
                    raise Fault(Code.INVALID, message, field="tool")
            case tools.SearchContext(context_ids) as kind:
                await self._know(workspace_id, context_ids)
                offered = Offered(tool.name, searching.DESCRIPTION, searching.PARAMETERS)
            case kind:
                offered = Offered(tool.name, tool.description, {"type": "object", "properties": {}, **tool.parameters})
        said = tool.description or offered.description
        return msgspec.structs.replace(tool, kind=kind, description=said, parameters=offered.parameters)

    async def _document(self, source: tools.OpenApi, headers: dict[str, str]) -> Document:
        if source.document is not None:
            return Document(source.document, source.url)
        if not source.url:
            raise Fault(Code.INVALID, "Give an OpenAPI document, or the url of one.", field="document")
        return Document(await self._documents.at(source.url, headers), source.url)

    async def _know(self, workspace_id: UUID, context_ids: list[UUID]) -> None:
        if not context_ids:
            return
        known = await self._bus.call(contexts.REVISIONS, contexts.GetRevisions(workspace_id, context_ids))
        if unknown := [id for id in context_ids if id not in known]:
            raise not_found("context", unknown[0])

    async def _check(self, tool: Tool, headers: dict[str, str]) -> None:
        if not _NAME.fullmatch(tool.name) or tool.name in CHOICES:
            message = "A tool's name has 1 to 64 letters, digits, _ and -, and is not auto, none or required."
            raise Fault(Code.INVALID, message, field="name")
        if not 0.1 <= tool.timeout <= _LONGEST_TIMEOUT:
            raise Fault(Code.INVALID, f"timeout must be between 0.1 and {_LONGEST_TIMEOUT} seconds.", field="timeout")
        if tool.parameters.get("type") != "object":
            raise Fault(Code.INVALID, "A tool's parameters are the JSON Schema of an object.", field="parameters")
        await self._schemas.check(tool.parameters, "parameters")
        check_headers(headers)
        match tool.kind:
            case tools.Http() as request:
                http.check(self._egress, request, tool.parameters)
            case tools.OpenApi(request=tools.Http() as request):
                http.check(self._egress, request, tool.parameters)
            case tools.SearchContext() as kind:
                searching.check(kind)
            case _:
                pass


_CHANGING = ("name", "kind", "description", "parameters", "timeout", "metadata")


def _made(asked: CreateTool, id: UUID) -> Tool:
    now = datetime.now(UTC)
    return Tool(
        id=id,
        workspace_id=asked.workspace_id,
        name=asked.name,
        description=asked.description,
        parameters=asked.parameters,
        kind=asked.kind,
        headers=asked.headers,
        timeout=asked.timeout,
        metadata=asked.metadata,
        created_by=asked.created_by,
        created_at=now,
        updated_at=now,
    )


def _masked(tool: Tool) -> Tool:
    """As it is stored: also what its source says of it is no more than that takes."""
    return storable(msgspec.structs.replace(tool, headers=dict.fromkeys(tool.headers, KEPT)))
