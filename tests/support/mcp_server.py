"""An MCP server of a process of its own, made with the package that everybody makes them with."""

import asyncio
import os
import sys
from asyncio.subprocess import DEVNULL
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from deploy.local.children import ROOT, tied
from tests.support.servers import free_port


@asynccontextmanager
async def mcp_server() -> AsyncGenerator[str]:
    """Its address."""
    port = free_port()
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.support.mcp_server", str(port)),
        cwd=ROOT,
        env={"PATH": os.environ["PATH"]},
        stdout=DEVNULL,
        stderr=DEVNULL,
        preexec_fn=tied(),
    )
    try:
        async with asyncio.timeout(60):
            while not await _listens(port):  # noqa: ASYNC110 — there is nothing to be told by
                await asyncio.sleep(0.05)
        yield f"http://127.0.0.1:{port}/mcp"
    finally:
        child.kill()
        await child.wait()


async def _listens(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True


def serve(port: int) -> None:
    from mcp.server.mcpserver import Context, MCPServer
    from mcp.server.mcpserver.exceptions import ToolError

    server = MCPServer("shop")

    @server.tool(description="Adds two numbers.")
    async def add(a: int, b: int) -> int:
        return a + b

    @server.tool()
    async def fail(reason: str) -> str:
        raise ToolError(reason)

    @server.tool()
    async def sleep(seconds: float) -> str:
        await asyncio.sleep(seconds)
        return "slept"

    @server.tool()
    async def whoami(context: Context) -> str:
        headers = context.headers or {}
        return headers.get("authorization", "nobody")

    server.run("streamable-http", port=port)


if __name__ == "__main__":
    serve(int(sys.argv[1]))
