"""Tools of MCP servers, over streamable HTTP: the `mcp` package speaks, the guarded client carries what it says.

Each call is a session of its own. The package is imported when the first one needs it: it is large.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import msgspec

from libs.contracts.faults import Code, Fault
from libs.contracts.tools import Mcp, Offered
from libs.egress import Egress

if TYPE_CHECKING:
    from mcp.client.session import ClientSession

_LARGEST = 4 * 1024 * 1024
_LISTING_SECONDS = 15.0
_MOST_PAGES = 20


async def listed(egress: Egress, url: str, headers: dict[str, str]) -> list[Offered]:
    """What the server offers. Raises Fault INVALID for an address that may not be asked, else UPSTREAM or TIMEOUT."""
    async with _session(egress, url, headers, _LISTING_SECONDS) as session:
        return await _all_tools(session)


async def call(egress: Egress, kind: Mcp, arguments: dict[str, Any], headers: dict[str, str]) -> str:
    """What the tool answers, as text, in the time that its caller gives it. Raises Fault where it failed."""
    async with _session(egress, kind.url, headers) as session:
        result = await _result(session, kind.tool, arguments)
    text = _text(result)
    if result.is_error:
        raise Fault(Code.UPSTREAM, text or "the MCP server says no more than that it failed")
    return text


@asynccontextmanager
async def _session(
    egress: Egress, url: str, headers: dict[str, str], seconds: float | None = None
) -> AsyncGenerator["ClientSession"]:
    egress.check(url)
    await asyncio.to_thread(_import)
    from services.runner.tools import mcp_session

    connecting = mcp_session.Connecting(egress, most=_LARGEST)
    try:
        async with asyncio.timeout(seconds), connecting.to(url, headers) as session:
            yield session
    except TimeoutError:
        raise connecting.failure or Fault(Code.TIMEOUT, "The MCP server did not answer in time.") from None
    except Fault:
        raise
    except Exception as error:
        raise connecting.failure or mcp_session.fault(error) from error


def _import() -> None:
    """In a thread: it takes long enough to be felt by everybody else."""
    import services.runner.tools.mcp_session  # noqa: F401


async def _all_tools(session: "ClientSession") -> list[Offered]:
    from mcp_types import PaginatedRequestParams

    tools: list[Offered] = []
    cursor: str | None = None
    for _ in range(_MOST_PAGES):
        page = await session.list_tools(params=PaginatedRequestParams(cursor=cursor))
        tools += [Offered(tool.name, tool.description or tool.title or "", tool.input_schema) for tool in page.tools]
        if (cursor := page.next_cursor) is None:
            break
    return tools


async def _result(session: "ClientSession", tool: str, arguments: dict[str, Any]) -> Any:
    """Without the session's own check of a result: the schema is the server's, and its patterns may take for ever."""
    from mcp_types import CallToolRequest, CallToolRequestParams, CallToolResult

    request = CallToolRequest(params=CallToolRequestParams(name=tool, arguments=arguments))
    return await session.send_request(request, CallToolResult)


def _text(result: Any) -> str:
    said = "\n".join(_said(block) for block in result.content)
    if said or result.structured_content is None:
        return said
    return msgspec.json.encode(result.structured_content).decode()


def _said(block: Any) -> str:
    """A block's text, or what it is instead."""
    text = getattr(block, "text", None) or getattr(getattr(block, "resource", None), "text", None)
    if isinstance(text, str):
        return text
    return f"[{block.type} {getattr(block, 'mime_type', None) or getattr(block, 'uri', '')}]"
