"""The toolbox: the calls that a model makes in one round, run side by side, each ending in a result.

The rule: a tool that fails, is unknown, or is called with arguments that do not fit is a result that says so.
"""

import asyncio
import logging
import time
from typing import Any

import msgspec

from libs.bus.bus import Bus
from libs.contracts import tools
from libs.contracts.faults import Code, Fault
from libs.contracts.feed import ToolResult
from libs.contracts.runs import ToolCall
from libs.egress import Egress
from libs.postgres import text
from services.runner.prompting.schemas import Schemas
from services.runner.runs.feeds import Feeds
from services.runner.runs.live import Live
from services.runner.tools import http, mcp, searching
from services.runner.tools.builtin import kit
from services.runner.tools.headers import unsaid
from services.runner.tools.ready import Ready, named

log = logging.getLogger(__name__)

AT_ONCE = 8
MOST_CALLS = 64
# Characters of a result that a model is told.
LONGEST = 65_536


class Toolbox:
    def __init__(self, bus: Bus, egress: Egress, schemas: Schemas, feeds: Feeds) -> None:
        self._bus, self._egress, self._schemas, self._feeds = bus, egress, schemas, feeds

    async def answer(self, live: Live, calls: list[ToolCall]) -> list[ToolResult]:
        """In the order of the calls; each is told to followers as soon as it is there."""
        room = asyncio.Semaphore(AT_ONCE)

        async def one(place: int, call: ToolCall) -> ToolResult:
            async with room:
                result = await self._result(live, call, too_many=place >= MOST_CALLS)
            live.recording.add(result)
            if live.followed:
                await self._feeds.send(live)
            return result

        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one(place, call)) for place, call in enumerate(calls)]
        return [task.result() for task in tasks]

    async def _result(self, live: Live, call: ToolCall, *, too_many: bool) -> ToolResult:
        began, failed = time.perf_counter(), False
        try:
            if too_many:
                raise Fault(Code.INVALID, f"there are more than {MOST_CALLS} calls in one round")
            output = await self._output(live, call)
        except Fault as fault:
            log.info("A tool failed", extra={"tool": call.name, "code": fault.code, "error": fault.message})
            output, failed = f"Tool {call.name!r} raised: {fault.message}", True
        except Exception:
            log.exception("A tool failed", extra={"tool": call.name})
            output, failed = f"Tool {call.name!r} raised: something went wrong on our side", True
        took = round((time.perf_counter() - began) * 1000, 3)
        return ToolResult(call.id, call.name, _cut(text.clean(output)), failed, took)

    async def _output(self, live: Live, call: ToolCall) -> str:
        ready = named(live.accepted.toolkit, call.name)
        arguments = await self._arguments(ready, call.arguments or "{}")
        try:
            async with asyncio.timeout(ready.tool.timeout):
                return unsaid(ready.headers, await self._called(live, ready, arguments))
        except TimeoutError:
            raise Fault(Code.TIMEOUT, f"it took longer than {ready.tool.timeout:g} seconds") from None
        except Fault as fault:
            raise Fault(fault.code, unsaid(ready.headers, fault.message)) from None

    async def _arguments(self, ready: Ready, written: str) -> dict[str, Any]:
        """Raises Fault INVALID, in words that the model can mend them by."""
        misfit = await self._schemas.misfit({"type": "object", **ready.tool.parameters}, written)
        if misfit is not None:
            raise Fault(Code.INVALID, f"invalid arguments: {misfit}")
        return msgspec.json.decode(written, type=dict[str, Any])

    async def _called(self, live: Live, ready: Ready, arguments: dict[str, Any]) -> str:
        match ready.tool.kind:
            case tools.Http() as request:
                return await http.call(self._egress, request, arguments, ready.headers)
            case tools.OpenApi(request=tools.Http() as request):
                return await http.call(self._egress, request, arguments, ready.headers)
            case tools.Mcp() as kind:
                return await mcp.call(self._egress, kind, arguments, ready.headers)
            case tools.SearchContext() as kind:
                return await searching.call(self._bus, live, kind, arguments)
            case (
                tools.SearchContacts() | tools.GetContact() | tools.ListAutomations() | tools.ListAutomationRuns()
            ) as kind:
                return await kit.call(self._bus, live.workspace_id, kind, arguments)
            case tools.OpenApi():
                raise Fault(Code.INVALID, "it has no request")


def _cut(output: str) -> str:
    if len(output) <= LONGEST:
        return output
    return f"{output[:LONGEST]}\n… (cut off after {LONGEST:,} characters)"
