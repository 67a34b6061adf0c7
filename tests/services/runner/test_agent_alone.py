"""Runs with tools on runners of their own: what one of them may not ask, and what a killed one leaves."""

import pytest

from libs.contracts import feed, tools
from libs.contracts.faults import Code, Fault
from libs.contracts.feed import ToolResult
from libs.contracts.runs import Mode, Status
from libs.contracts.tools import Http, Mcp
from tests.services.runner.conftest import Caller
from tests.services.runner.toolcases import SECONDS, arguments, http, make, tool_site
from tests.support.mcp_server import mcp_server
from tests.support.processes import process
from tests.support.provider import Answer, Call, calling
from tests.support.services import running
from tests.support.waiting import until

pytestmark = pytest.mark.asyncio

TEXT = "Hello from the model."


def settings(upstream, **more):
    return {"default_model_url": upstream.openai_url, "default_model_name": "small", **more}


def results(frames: list[feed.Frame]) -> list[ToolResult]:
    return [frame.body for frame in frames if isinstance(frame.body, ToolResult)]


async def test_a_tool_that_leads_inside_is_refused_without_a_connection(nats_url, databases, upstream, bus):
    """What was made while this machine was on the allow-list is asked no more when it is not."""
    caller = Caller(bus)
    async with tool_site() as site, mcp_server() as shop:
        async with running("runner", nats_url, databases, **settings(upstream)):
            inside = await http(caller, "inside", site.url)
            plus = await make(caller, "plus", Mcp(shop, "add"))
            action = await caller.action(tool_ids=[inside, plus.id])
        async with running("runner", nats_url, databases, **settings(upstream, egress_allow_cidrs="")):
            for kind in (Http("GET", site.url), Http("GET", "https://localhost/"), Mcp(shop, "add")):
                with pytest.raises(Fault) as caught:
                    await make(caller, "another", kind)
                assert (caught.value.code, caught.value.field) == (Code.INVALID, "url")
            discover = tools.Discover(caller.workspace_id, Mcp(shop, ""))
            with pytest.raises(Fault):
                await caller.bus.call(tools.DISCOVER, discover)
            upstream.plays(calling(Call("c1", "inside", "{}"), Call("c2", "plus", arguments(a=1, b=2))), Answer())
            run = await caller.run(action)
            said = results((await caller.frames(run.id)).frames)
    assert (run.status, run.output) == (Status.SUCCEEDED, TEXT)
    assert sorted(result.output for result in said) == [
        "Tool 'inside' raised: The host 127.0.0.1 has no public address.",
        "Tool 'plus' raised: The host 127.0.0.1 has no public address.",
    ]
    assert site.heard == []


async def test_an_asynchronous_run_whose_runner_is_killed_amid_its_tools_begins_again(
    nats_url, databases, upstream, bus
):
    caller = Caller(bus)
    async with tool_site() as site, process("runner", nats_url, databases, **settings(upstream)) as doomed:
        slow = await http(caller, "slow", f"{site.url}/sleep/{{seconds}}", parameters=SECONDS)
        action = await caller.action(tool_ids=[slow])
        upstream.plays(calling(Call("c1", "slow", arguments(seconds=30))))
        run = await caller.run(action, mode=Mode.ASYNC)
        await until(lambda: site.open == 1)
        upstream.plays(calling(Call("c1", "slow", arguments(seconds=0))), Answer())
        async with running("runner", nats_url, databases, **settings(upstream)):
            await doomed.kill()
            ended = await caller.ended(run.id)
            frames = (await caller.frames(run.id, attempt=2)).frames
    assert (ended.status, ended.output, ended.attempt) == (Status.SUCCEEDED, TEXT, 2)
    assert isinstance(frames[0].body, feed.Restarted)
    assert [result.output for result in results(frames)] == ["slept 0"]
