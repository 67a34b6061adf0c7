"""Answers that have to fit a format: as the model gives them, out of a fence, repaired once, or refused."""

import json

import pytest

from libs.contracts import feed, models, runs
from libs.contracts.actions import Parameters
from libs.contracts.faults import Code, Fault
from libs.contracts.runs import Mode, Status
from services.runner.prompting.schemas import Schemas
from services.runner.sandbox import schemas as sandboxed
from tests.services.runner.toolcases import http, tool_site
from tests.support.provider import Answer, Call, calling

pytestmark = pytest.mark.asyncio

PERSON = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"type": "integer"}},
    "required": ["name", "age"],
}
FORMAT = {"type": "json_schema", "json_schema": {"name": "person", "schema": PERSON}}
GOOD, BAD = '{"name": "Ada", "age": 36}', '{"name": "Ada", "age": "old"}'


def says(text: str) -> Answer:
    return Answer(pieces=(text[:9], text[9:]), usage=(10, 4))


def person(**parameters) -> dict:
    return {"parameters": Parameters(response_format=FORMAT, **parameters)}


def bodies(frames: list[feed.Frame], *kinds: type) -> list:
    return [frame.body for frame in frames if isinstance(frame.body, kinds)]


async def test_an_answer_that_fits_is_the_answer(caller, upstream):
    upstream.plays(says(GOOD))
    run = await caller.run(await caller.action(**person()))
    assert (run.output, run.usage) == (GOOD, runs.Usage(10, 4, cost=0))
    assert upstream.asked[-1].body["response_format"] == FORMAT
    assert bodies((await caller.frames(run.id)).frames, feed.Replaced) == []


async def test_a_fence_around_it_is_taken_off(caller, upstream):
    upstream.plays(says(f"```json\n{GOOD}\n```\n"))
    run = await caller.run(await caller.action(**person()))
    assert run.output == GOOD
    assert bodies((await caller.frames(run.id)).frames, feed.Replaced) == [feed.Replaced(GOOD)]


async def test_an_answer_that_does_not_fit_is_repaired_once(caller, upstream, follower):
    upstream.plays(says(BAD), says(GOOD))
    run, frames = await follower.start(caller.start(await caller.action(**person()), mode=Mode.STREAMING))
    heard = [frame async for frame in frames]
    ended = await caller.ended(run.id)
    assert (ended.status, ended.output, ended.usage) == (Status.SUCCEEDED, GOOD, runs.Usage(20, 8, cost=0))
    assert "".join(token.text for token in bodies(heard, feed.Token)) == BAD
    assert bodies(heard, feed.Replaced) == [feed.Replaced(GOOD)]
    assert (await caller.frames(run.id)).frames == heard
    *_, said, told = upstream.asked[-1].body["messages"]
    assert said == {"role": "assistant", "content": BAD}
    assert "$.age: 'old' is not of type 'integer'" in told["content"]


async def test_an_answer_that_never_fits_fails_and_is_kept(caller, upstream):
    worse = '{"name": 7, "age": 36}'
    upstream.plays(says(BAD), says(worse))
    run = await caller.run(await caller.action(**person()))
    assert run.failure is not None
    assert (run.status, run.output, run.failure.code) == (Status.FAILED, worse, Code.INVALID)
    assert run.failure.message == (
        "The model's answer does not fit response_format: $.name: 7 is not of type 'string'."
    )


async def test_a_misfit_is_kept_as_postgres_takes_it(caller, upstream):
    numbers = {"type": "object", "additionalProperties": {"type": "integer"}}
    format = {"type": "json_schema", "json_schema": {"name": "numbers", "schema": numbers}}
    upstream.plays(*[says(r'{"a\u0000b": "c"}')] * 2)
    run = await caller.run(await caller.action(parameters=Parameters(response_format=format)))
    assert (run.status, run.output) == (Status.FAILED, r'{"a\u0000b": "c"}')


@pytest.mark.parametrize(("said", "fits"), [("{}", True), ("[]", False), ("Sorry.", False), ('{"a": NaN}', False)])
async def test_a_json_object_is_any_object(caller, upstream, said, fits):
    upstream.plays(says(said), *([] if fits else [says(said)]))
    run = await caller.run(await caller.action(), parameters=Parameters(response_format={"type": "json_object"}))
    assert (run.status is Status.SUCCEEDED, run.output) == (fits, said)


async def test_anthropic_gives_the_answer_as_the_input_of_a_tool(caller, upstream):
    chosen = models.CreateModel(caller.workspace_id, "small", "anthropic", url=upstream.url)
    model = await caller.bus.call(models.CREATE, chosen)
    action = await caller.action(model_id=model.id, **person())
    upstream.plays(calling(Call("a1", "give_answer", GOOD), usage=(10, 4)))
    run = await caller.run(action)
    assert (run.output, run.finish_reason, run.calls) == (GOOD, "stop", [])
    assert upstream.asked[-1].tools == {"give_answer": PERSON}
    assert upstream.asked[-1].body["tool_choice"] == {"type": "tool", "name": "give_answer"}


async def test_anthropic_may_call_tools_before_it_gives_the_answer(caller, upstream):
    chosen = models.CreateModel(caller.workspace_id, "small", "anthropic", url=upstream.url)
    model = await caller.bus.call(models.CREATE, chosen)
    async with tool_site() as site:
        weather = await http(caller, "weather", site.url)
        action = await caller.action(model_id=model.id, tool_ids=[weather], **person())
        upstream.plays(calling(Call("c1", "weather", "{}")), calling(Call("a1", "give_answer", GOOD)))
        run = await caller.run(action)
    assert run.output == GOOD
    assert [asked.body["tool_choice"] for asked in upstream.asked[-2:]] == [{"type": "any"}] * 2


async def test_what_was_said_before_the_answer_is_no_part_of_it(caller, upstream):
    async with tool_site() as site:
        weather = await http(caller, "weather", site.url)
        upstream.plays(calling(Call("c1", "weather", "{}"), pieces=("I look.",)), says(GOOD))
        run = await caller.run(await caller.action(tool_ids=[weather], **person()))
    assert run.output == GOOD


@pytest.mark.parametrize("schema", [None, {"type": "objekt"}, {"properties": 7}])
async def test_a_format_that_is_none_is_refused_when_it_is_stored(caller, schema):
    format = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
    with pytest.raises(Fault) as caught:
        await caller.action(parameters=Parameters(response_format=format))
    assert (caught.value.code, caught.value.field) == (Code.INVALID, "parameters.response_format")


@pytest.mark.parametrize(
    ("schema", "text", "why"),
    [
        ({"type": "string", "pattern": "^(a+)+$"}, '"' + "a" * 40 + '!"', "too long"),
        ({"$ref": "#"}, "{}", "nested too deeply"),
        ({"$ref": "https://schemas.example/person.json"}, "{}", "leads nowhere"),
        ({"$ref": "file:///etc/passwd"}, "{}", "leads nowhere"),
        ({}, "[" * 100_000, "nested too deeply"),
    ],
)
async def test_a_schema_that_never_ends_or_leads_out_is_no_danger(schema, text, why):
    checked = Schemas()
    try:
        with pytest.raises(Fault) as caught:
            await checked.misfit(schema, text)
        assert why in caught.value.message
        assert await checked.misfit({"type": "integer"}, "7") is None
    finally:
        await checked.close()


@pytest.mark.parametrize("type", ["json_shema", "", 5, None])
async def test_a_type_of_format_that_nobody_could_keep_to_is_refused(caller, type):
    with pytest.raises(Fault) as refused:
        await caller.action(parameters=Parameters(response_format={"type": type}))
    assert (refused.value.code, refused.value.field) == (Code.INVALID, "parameters.response_format.type")
    assert "json_schema" in refused.value.message


async def test_a_runs_own_format_is_looked_at_before_the_model_is_asked(caller, upstream):
    asked = len(upstream.asked)
    with pytest.raises(Fault) as caught:
        await caller.run(await caller.action(), parameters=Parameters(response_format={"type": "json_schema"}))
    assert (caught.value.code, len(upstream.asked)) == (Code.INVALID, asked)


async def test_a_schema_is_compiled_once():
    schema = json.dumps(PERSON).encode()
    before = sandboxed._compiled.cache_info().hits
    assert sandboxed.answer(schema, GOOD) == sandboxed.answer(schema, GOOD)
    assert sandboxed._compiled.cache_info().hits > before
