"""The `mcp` package over the guarded client. Only this module imports it as it is loaded."""

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import httpx2
from mcp.client.client import Client
from mcp.client.session import ClientSession
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError

from libs.contracts.faults import Code, Fault
from libs.egress.transport import GuardedTransport

log = logging.getLogger(__name__)

# What the package logs of failures is told by the Faults that become of them, and its client logs each address whole:
# keys stand in some.
logging.getLogger("mcp").setLevel(logging.CRITICAL)
logging.getLogger("httpx2").setLevel(logging.WARNING)

_FAREWELL_SECONDS = 0.5
# Characters: the first line says it, and a schema that does not fit has many more.
_LONGEST_REASON = 300


class Connecting(GuardedTransport):
    """A connection to one server. DELETE only takes leave of it: nobody waits long for that."""

    @asynccontextmanager
    async def to(self, url: str, headers: dict[str, str]) -> AsyncGenerator[ClientSession]:
        async with (
            httpx2.AsyncClient(transport=self, headers=headers, timeout=None, trust_env=False) as http,
            Client(streamable_http_client(url, http_client=http), cache=None) as client,
        ):
            yield client.session

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        async with asyncio.timeout(_FAREWELL_SECONDS if request.method == "DELETE" else None):
            return await super().handle_async_request(request)


def fault(error: BaseException) -> Fault:
    """What went wrong, out of however many groups of exceptions."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    if isinstance(error, MCPError):
        reason = error.error.message.partition("\n")[0][:_LONGEST_REASON]
        return Fault(Code.UPSTREAM, f"the MCP server failed: {reason}")
    log.info("An MCP server could not be spoken to", extra={"error": repr(error)})
    return Fault(Code.UPSTREAM, "the MCP server does not speak the protocol, or broke off")
