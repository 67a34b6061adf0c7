"""Runs whose model calls tools: rounds, results, what goes wrong, and what a run that is broken off leaves."""

import asyncio
import json
import time

import pytest
import pytest_asyncio

from libs.contracts import feed, models, runs
from libs.contracts.actions import Parameters
from libs.contracts.faults import Code, Failure, Fault
from libs.contracts.feed import ToolResult
from libs.contracts.runs import Message, Mode, Status, ToolCall
from libs.contracts.tools import Http, Mcp, Offered, OpenApi, Place
from tests.services.runner.toolcases import CITY, DOCUMENT, SECONDS, Site, arguments, http, make, tool_site
from tests.support.mcp_server import mcp_server
from tests.support.provider import Answer, Call, calling
from tests.support.waiting import until

pytestmark = pytest.mark.asyncio

TEXT = "Hello from the model."
ASK = Offered("ask_user", "Asks the person.", {"type": "object", "properties": {"what": {"type": "string"}}})


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def site():
    async with tool_site() as served:
        yield served


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def shop():
    async with mcp_server() as url:
        yield url


@pytest.fixture(params=["openai", "anthropic"])
def protocol(request) -> str:
    return request.param


async def model(caller, upstream, protocol: str) -> models.Model:
    url = upstream.openai_url if protocol == "openai" else upstream.url
    return await caller.bus.call(models.CREATE, models.CreateModel(caller.workspace_id, "small", protocol, url=url))


def bodies(frames: list[feed.Frame], *kinds: type) -> list:
    return [frame.body for frame in frames if isinstance(frame.body, kinds)]


async def results(caller, run: runs.Run) -> dict[str, ToolResult]:
    return {result.id: result for result in bodies((await caller.frames(run.id)).frames, ToolResult)}


async def test_a_model_calls_a_tool_and_answers_with_what_it_says(caller, upstream, follower, site: Site, protocol):
    chosen = await model(caller, upstream, protocol)
    weather = await http(caller, "weather", f"{site.url}/in/{{city}}", parameters=CITY, description="Tells it.")
    action = await caller.action(tool_ids=[weather], model_id=chosen.id)
    call = Call("c1", "weather", arguments(city="Zürich/../x"))
    upstream.plays(calling(call, pieces=("Let me look. ",), usage=(10, 3)), Answer(usage=(20, 5)))
    run, frames = await follower.start(caller.start(action, mode=Mode.STREAMING))
    heard = [frame async for frame in frames]
    ended = await caller.ended(run.id)

    first, second = upstream.asked[-2:]
    assert first.tools == {"weather": CITY}
    said = {"weather": "sunny", "path": "/in/Zürich/../x"}
    assert json.loads(second.results["c1"]) == said
    assert site.heard[-1].path == "/in/Z%C3%BCrich%2F..%2Fx"
    assert (ended.output, ended.finish_reason, ended.usage) == (f"Let me look. {TEXT}", "stop", runs.Usage(30, 8))
    made, result, done = bodies(heard, ToolCall, ToolResult, feed.Done)
    assert made == ToolCall("c1", "weather", call.arguments)
    assert (json.loads(result.output), result.failed, result.ms > 0) == (said, False, True)
    assert done.usage == ended.usage
    assert (await caller.frames(run.id)).frames == heard, "as exact after its end as while it went on"
    assert (await caller.frames(run.id, after=4)).frames == heard[4:]


async def test_what_the_model_said_goes_back_in_its_own_protocol(caller, upstream, site: Site, protocol):
    chosen = await model(caller, upstream, protocol)
    weather = await http(caller, "weather", site.url, parameters=CITY)
    action = await caller.action(tool_ids=[weather], model_id=chosen.id)
    twice = Call("c1", "weather", arguments(city="Bern")), Call("c2", "weather", "{broken")
    upstream.plays(calling(*twice, pieces=("Hm.",)), Answer())
    await caller.run(action)
    asked, made, *told = upstream.asked[-1].body["messages"]
    assert asked == {"role": "user", "content": "Why?"}
    if protocol == "openai":
        assert (made["role"], made["content"]) == ("assistant", "Hm.")
        assert [each["function"]["arguments"] for each in made["tool_calls"]] == [call.arguments for call in twice]
        assert [each["tool_call_id"] for each in told] == ["c1", "c2"]
    else:
        said, first, second = made["content"]
        assert said == {"type": "text", "text": "Hm."}
        assert (first["input"], second["input"]) == ({"city": "Bern"}, {})
        assert [block["tool_use_id"] for block in told[0]["content"]] == ["c1", "c2"]


async def test_arguments_go_where_the_tool_says(caller, upstream, site: Site):
    parameters = {
        "type": "object",
        "properties": {name: {} for name in ("id", "tag", "q", "X-Trace", "title", "X-Key")},
    }
    places: dict[str, Place] = {"q": "query", "X-Trace": "header", "X-Key": "header"}
    note = await make(
        caller,
        "note",
        Http("POST", f"{site.url}/notes/{{id}}?tag={{tag}}", places),
        parameters=parameters,
        headers={"x-key": "secret-of-the-tool"},
    )
    said = {"id": 7, "tag": "a&b", "q": ["x", "y"], "X-Trace": "t1", "X-Key": "the model's", "title": {"en": "Hi"}}
    upstream.plays(calling(Call("c1", "note", json.dumps(said))), Answer())
    await caller.run(await caller.action(tool_ids=[note.id]))
    heard = site.heard[-1]
    assert (heard.method, heard.path) == ("POST", "/notes/7")
    assert heard.query == [("tag", "a&b"), ("q", "x"), ("q", "y")]
    assert (heard.headers["x-trace"], heard.headers["x-key"]) == ("t1", "secret-of-the-tool")
    assert json.loads(heard.body) == {"title": {"en": "Hi"}}


async def test_an_operation_is_called_as_its_document_says(caller, upstream, site: Site):
    put = await make(caller, "put_pet", OpenApi("putPet", document=DOCUMENT, server=site.url))
    said = {"pet": 3, "body": {"name": "Rex", "friends": [{"name": None}]}}
    wrong = {"pet": 3, "body": {"friends": []}}
    upstream.plays(calling(Call("c1", "put_pet", json.dumps(said)), Call("c2", "put_pet", json.dumps(wrong))), Answer())
    run = await caller.run(await caller.action(tool_ids=[put.id]))
    assert (site.heard[-1].method, site.heard[-1].path) == ("PUT", "/pets/3")
    assert json.loads(site.heard[-1].body) == said["body"]
    assert "$.body: 'name' is a required property" in (await results(caller, run))["c2"].output


async def test_a_tool_of_an_mcp_server_is_called(caller, upstream, shop):
    headers = {"Authorization": "Bearer secret-of-the-shop"}
    plus = await make(caller, "plus", Mcp(shop, "add"))
    fail = await make(caller, "fail", Mcp(shop, "fail"))
    slow = await make(caller, "slow", Mcp(shop, "sleep"), timeout=0.5)
    who = await make(caller, "who", Mcp(shop, "whoami"), headers=headers)
    upstream.plays(
        calling(
            Call("c1", "plus", arguments(a=2, b=3)),
            Call("c2", "fail", arguments(reason="no more stock")),
            Call("c3", "slow", arguments(seconds=5)),
            Call("c4", "who", "{}"),
        ),
        Answer(),
    )
    run = await caller.run(await caller.action(tool_ids=[plus.id, fail.id, slow.id, who.id]))
    said = await results(caller, run)
    assert (said["c1"].output, said["c1"].failed) == ("5", False)
    assert said["c2"].output.startswith("Tool 'fail' raised: ")
    assert "no more stock" in said["c2"].output
    assert said["c3"].output == "Tool 'slow' raised: it took longer than 0.5 seconds"
    assert said["c3"].ms < 4500, "to its end it would have taken 5,000 ms"
    assert said["c4"].output == "…", "the header was sent, and what echoes it is not shown"


async def test_what_a_tool_does_wrong_is_a_result_and_the_run_goes_on(caller, upstream, site: Site):
    names = {
        "weather": f"{site.url}/in/{{city}}",
        "broken": f"{site.url}/status/503",
        "slow": f"{site.url}/sleep/5",
        "big": f"{site.url}/big",
        "picture": f"{site.url}/picture",
        "secret": f"{site.url}/secret",
        "credential": f"{site.url}/credential",
    }
    more = {
        "weather": {"parameters": CITY},
        "slow": {"timeout": 0.3},
        "secret": {"headers": {"X-Key": "secret-of-the-tool"}},
        "credential": {"headers": {"Authorization": "Bearer secret-of-the-tool"}},
    }
    ids = [await http(caller, name, url, **more.get(name, {})) for name, url in names.items()]
    calls = {
        "weather": arguments(city=7),
        "nosuch": "{}",
        "broken": "{}",
        "slow": "",
        "big": "{}",
        "picture": "{}",
        "secret": "{}",
        "credential": "{}",
    }
    upstream.plays(
        calling(
            *(Call(name, name, said) for name, said in calls.items()), Call("dots", "weather", arguments(city=".."))
        ),
        Answer(),
    )
    run = await caller.run(await caller.action(tool_ids=ids))
    said = {name: result.output for name, result in (await results(caller, run)).items()}
    assert (run.status, run.output) == (Status.SUCCEEDED, TEXT)
    assert said["weather"] == "Tool 'weather' raised: invalid arguments: $.city: 7 is not of type 'string'"
    assert said["nosuch"].startswith("Tool 'nosuch' raised: there is no such tool; the tools are weather, broken")
    assert said["broken"] == "Tool 'broken' raised: the server answered 503: out of order"
    assert said["slow"] == "Tool 'slow' raised: it took longer than 0.3 seconds"
    assert said["big"].startswith("xxx")
    assert said["big"].endswith("(cut off after 65,536 characters)")
    assert said["picture"] == "Tool 'picture' raised: the server answered with image/png, which is no text"
    assert said["secret"] == "you sent …"
    assert said["credential"] == "… is no key of ours", "nor without its scheme"
    assert said["dots"] == "Tool 'weather' raised: invalid arguments: $.city: '..' can't stand in a path"


async def test_calls_of_one_round_run_side_by_side(caller, upstream, site: Site):
    slow = await http(caller, "slow", f"{site.url}/sleep/{{seconds}}", parameters=SECONDS)
    calls = [Call(f"c{n}", "slow", arguments(seconds=1)) for n in range(8)]
    site.most = 0
    upstream.plays(calling(*calls), Answer())
    run = await caller.run(await caller.action(tool_ids=[slow]))
    assert len(await results(caller, run)) == 8
    assert site.most == 8
    assert list(upstream.asked[-1].results) == [call.id for call in calls], "told in the order of the calls"


async def test_after_its_rounds_a_model_may_only_answer(caller, upstream, site: Site):
    weather = await http(caller, "weather", site.url)
    action = await caller.action(tool_ids=[weather], parameters=Parameters(tool_rounds=2))
    upstream.plays(calling(Call("c1", "weather", "{}")), calling(Call("c2", "weather", "{}")), Answer())
    run = await caller.run(action)
    choices = [asked.body.get("tool_choice") for asked in upstream.asked[-3:]]
    assert (run.output, choices) == (TEXT, [None, None, "none"])

    upstream.plays(*(calling(Call(f"c{n}", "weather", "{}")) for n in range(3)))
    failed = await caller.run(action)
    message = "The model called tools 3 times and gave no answer."
    assert (failed.status, failed.failure) == (Status.FAILED, Failure(Code.UPSTREAM, message))


async def test_a_model_that_knows_no_tools_just_answers(caller, upstream, site: Site):
    weather = await http(caller, "weather", site.url)
    run = await caller.run(await caller.action(tool_ids=[weather]))
    assert (run.status, run.output, run.calls) == (Status.SUCCEEDED, TEXT, [])


async def test_a_call_of_the_callers_own_tool_ends_the_run(caller, upstream, protocol):
    chosen = await model(caller, upstream, protocol)
    action = await caller.action(kind="chat", model_id=chosen.id)
    turns = [Message("user", "Book it.")]
    upstream.plays(calling(Call("c1", "ask_user", arguments(what="When?")), pieces=("One moment.",), usage=(9, 2)))
    run = await caller.run(action, messages=turns, tools=[ASK], tool_choice="required")
    waiting = ToolCall("c1", "ask_user", arguments(what="When?"), client=True)
    assert (run.status, run.finish_reason, run.calls, run.output) == (
        Status.SUCCEEDED,
        "tool_calls",
        [waiting],
        "One moment.",
    )
    assert (await caller.get(run.id)).calls == [waiting]
    assert bodies((await caller.frames(run.id)).frames, ToolCall, ToolResult) == [waiting]
    choice = upstream.asked[-1].body["tool_choice"]
    assert choice == "required" if protocol == "openai" else choice == {"type": "any"}

    turns += [Message("assistant", run.output, run.calls), Message("tool", "At noon.", call_id="c1")]
    again = await caller.run(action, messages=turns, tools=[ASK])
    assert upstream.asked[-1].results == {"c1": "At noon."}
    assert (again.output, again.finish_reason) == (TEXT, "stop")


async def test_tools_of_both_kinds_may_be_called_in_one_round(caller, upstream, site: Site):
    weather = await http(caller, "weather", site.url)
    upstream.plays(calling(Call("c1", "weather", "{}"), Call("c2", "ask_user", "{}")))
    run = await caller.run(await caller.action(tool_ids=[weather]), tools=[ASK])
    assert [call.id for call in run.calls] == ["c2"]
    assert list(await results(caller, run)) == ["c1"]


@pytest.mark.parametrize("more", [{"tool_choice": "nosuch"}, {"tools": [ASK, ASK]}, {"tool_choice": "required"}])
async def test_what_can_be_no_choice_of_tools_is_refused(caller, more):
    with pytest.raises(Fault) as caught:
        await caller.run(await caller.action(), **more)
    assert caught.value.code is Code.INVALID


async def test_a_run_is_cancelled_in_the_midst_of_its_tools(caller, upstream, site: Site, shop):
    slow = await http(caller, "slow", f"{site.url}/sleep/9")
    slower = await make(caller, "slower", Mcp(shop, "sleep"))
    action = await caller.action(tool_ids=[slow, slower.id])
    upstream.plays(calling(Call("c1", "slow", "{}"), Call("c2", "slower", arguments(seconds=9)), usage=(7, 2)))
    run = await caller.run(action, mode=Mode.ASYNC)
    await until(lambda: site.open == 1)
    await asyncio.sleep(0.2)
    began = time.monotonic()
    cancelled = await caller.cancel(run.id)
    assert time.monotonic() - began < 7, "the tools would have taken nine seconds"
    assert (cancelled.status, cancelled.usage) == (Status.CANCELLED, runs.Usage(7, 2, cost=0))
    assert cancelled.finish_reason == ""
    await until(lambda: site.open == 0)
    assert bodies((await caller.frames(run.id)).frames, ToolResult) == []


async def test_a_session_remembers_what_was_asked_and_answered(caller, upstream, site: Site):
    weather = await http(caller, "weather", site.url)
    action, session = await caller.action(tool_ids=[weather]), await caller.session()
    upstream.plays(calling(Call("c1", "weather", "{}"), pieces=("I look. ",)), Answer(pieces=("Sunny.",)))
    await caller.run(action, session_id=session.id)
    await caller.run(action, "Really?", session_id=session.id)
    said = [(turn["role"], turn["content"]) for turn in upstream.asked[-1].body["messages"]]
    assert said == [("user", "Why?"), ("assistant", "I look. Sunny."), ("user", "Really?")]


async def test_a_large_result_leaves_room_in_the_models_window(caller, upstream, site: Site):
    big = await http(caller, "big", f"{site.url}/big")
    upstream.plays(calling(Call("c1", "big", "{}"), Call("c2", "big", "{}")), Answer())
    await caller.run(await caller.action(tool_ids=[big]))
    told = upstream.asked[-1].results
    assert all(len(text) < 8_000 for text in told.values())
    assert all("window has no room" in text for text in told.values())


async def test_a_cached_answer_repeats_what_its_tools_said(caller, upstream, site: Site):
    weather = await http(caller, "weather", site.url)
    action = await caller.action(tool_ids=[weather])
    upstream.plays(calling(Call("c1", "weather", "{}")), Answer())
    first = await caller.run(action, cache=True)
    asked = len(upstream.asked)
    again = await caller.run(action, cache=True)
    assert (again.cached_from, len(upstream.asked)) == (first.id, asked)
    assert await results(caller, again) == await results(caller, first)
