"""Runs: every mode, what is recorded, asked for twice, cancelled, followed, and kept."""

import asyncio

import asyncpg
import msgspec
import pytest

from libs.contracts import actions, feed, ids, models, runs
from libs.contracts.actions import Parameters
from libs.contracts.faults import Code, Failure, Fault
from libs.contracts.paging import Slice
from libs.contracts.runs import Mode, Status
from tests.services.runner.conftest import eventually
from tests.support.provider import Answer, Call, refusal
from tests.support.waiting import until

pytestmark = pytest.mark.asyncio

TEXT = "Hello from the model."
RICH = Answer(
    pieces=("one ", "two ", "three"),
    thoughts=("hm", "yes"),
    calls=(Call("c1", "add", '{"a": 1}'),),
    usage=(12, 5),
    reason="tool_calls",
)


async def fault(call) -> Fault:
    with pytest.raises(Fault) as caught:
        await call
    return caught.value


def text_of(frames: list[feed.Frame]) -> str:
    return "".join(frame.body.text for frame in frames if isinstance(frame.body, feed.Token))


async def test_a_blocking_run_answers_with_the_finished_run(caller, upstream):
    action = await caller.action("Say {{what}}", system_message="Be {{how}}.", parameters=Parameters(temperature=0))
    asked = caller.start(action, {"what": "hi", "how": "kind"}, metadata={"a": 1}, end_user="ada")
    run = await caller.bus.call(runs.START, asked)
    assert (run.status, run.output, run.finish_reason) == (Status.SUCCEEDED, TEXT, "stop")
    assert run.usage == runs.Usage(12, 5, cost=0)
    assert run.prompt == [runs.Message("system", "Be kind."), runs.Message("user", "Say hi")]
    assert (run.inputs, run.metadata, run.end_user, run.experiment) == (asked.inputs, {"a": 1}, "ada", None)
    assert (run.model, run.provider, run.action_version, run.attempt) == ("small", "default", 1, 1)
    assert run.latency_ms
    assert run.first_token_ms
    assert run.latency_ms >= run.first_token_ms
    assert await caller.get(run.id) == run
    assert upstream.asked[-1].body["temperature"] == 0


async def test_a_runs_own_parameters_go_over_the_actions(caller, upstream):
    action = await caller.action(parameters=Parameters(temperature=1, max_tokens=7))
    await caller.run(action, parameters=Parameters(temperature=0, seed=3))
    body = upstream.asked[-1].body
    assert (body["temperature"], body["max_tokens"], body["seed"]) == (0, 7, 3)


async def test_a_streaming_run_is_followed_frame_by_frame(caller, upstream, follower):
    upstream.plays(msgspec.structs.replace(RICH, between=0.03))
    action = await caller.action()
    run, frames = await follower.start(caller.start(action, mode=Mode.STREAMING))
    assert (run.status, run.prompt) == (Status.RUNNING, [runs.Message("user", "Why?")])
    heard = [frame async for frame in frames]
    assert [frame.n for frame in heard] == list(range(1, len(heard) + 1))
    assert isinstance(heard[0].body, feed.Started)
    assert text_of(heard) == "one two three"
    assert "".join(frame.body.text for frame in heard if isinstance(frame.body, feed.Thinking)) == "hmyes"
    assert runs.ToolCall("c1", "add", '{"a": 1}') in [frame.body for frame in heard]
    assert isinstance(heard[-1].body, feed.Done)
    kept = await caller.get(run.id)
    assert (kept.output, kept.thinking, kept.status) == ("one two three", "hmyes", Status.SUCCEEDED)
    for after in range(len(heard) + 1):
        assert (await caller.frames(run.id, after=after)).frames == heard[after:]


async def test_the_first_token_is_out_before_anything_else_is_said(caller, upstream, follower):
    gate = asyncio.Event()
    upstream.plays(Answer(gate=gate))
    run, frames = await follower.start(caller.start(await caller.action(), mode=Mode.STREAMING))
    assert [(await anext(frames)).body, (await anext(frames)).body][1] == feed.Token("Hello")
    assert (await caller.get(run.id)).output == "Hello"
    gate.set()
    assert text_of([frame async for frame in frames]) == " from the model."


async def test_a_run_is_there_from_its_first_moment(caller, upstream, follower):
    gate = asyncio.Event()
    upstream.plays(Answer(gate=gate))
    run, frames = await follower.start(caller.start(await caller.action(), mode=Mode.STREAMING))
    assert (await caller.get(run.id)).status is Status.RUNNING
    asked = runs.PageRuns(caller.workspace_id)
    page = await eventually(lambda: caller.bus.call(runs.PAGE, asked), lambda page: page.total > 0)
    assert (page.items[0].id, page.items[0].status) == (run.id, Status.RUNNING)
    gate.set()
    assert [frame async for frame in frames][-1].ends


async def test_an_async_run_is_committed_before_it_is_accepted(caller, upstream, databases):
    gate = asyncio.Event()
    upstream.plays(Answer(gate=gate))
    run = await caller.run(await caller.action(), mode=Mode.ASYNC)
    connection = await asyncpg.connect(databases.dsn("runner"))
    request = await connection.fetchval(
        "SELECT request FROM runs WHERE id = $1 AND status IN ('queued', 'running')", run.id
    )
    assert msgspec.msgpack.decode(request, type=runs.StartRun).run_id == run.id
    gate.set()
    await caller.ended(run.id)
    assert await connection.fetchval("SELECT request FROM runs WHERE id = $1", run.id) is None
    await connection.close()


async def test_a_durable_run_is_committed_before_it_is_accepted(caller, upstream, databases):
    gate = asyncio.Event()
    upstream.plays(Answer(gate=gate))
    run = await caller.run(await caller.action(), mode=Mode.STREAMING, durable=True)
    connection = await asyncpg.connect(databases.dsn("runner"))
    assert await connection.fetchval("SELECT status FROM runs WHERE id = $1", run.id) == "running"
    await connection.close()
    gate.set()
    await caller.ended(run.id)


async def test_whoever_comes_later_follows_a_run_that_nobody_followed(caller, upstream, follower):
    gate = asyncio.Event()
    upstream.plays(Answer(gate=gate))
    run = await caller.run(await caller.action(), mode=Mode.ASYNC)
    await until(lambda: upstream.answering > 0)
    frames = follower.follow(feed.Cursor(caller.workspace_id, run.id))
    assert isinstance((await anext(frames)).body, feed.Started)
    gate.set()
    assert text_of([frame async for frame in frames]) == TEXT


@pytest.mark.parametrize("mode", [Mode.BLOCKING, Mode.STREAMING, Mode.ASYNC])
async def test_the_same_id_again_is_the_same_run(caller, upstream, mode):
    action, before = await caller.action(), len(upstream.asked)
    request = caller.start(action, mode=mode)
    first, second = await asyncio.gather(*(caller.bus.call(runs.START, request) for _ in range(2)))
    await caller.ended(request.run_id)
    third = await caller.bus.call(runs.START, request)
    assert first.id == second.id == third.id == request.run_id
    assert len(upstream.asked) == before + 1
    page = await caller.bus.call(runs.PAGE, runs.PageRuns(caller.workspace_id))
    assert (page.total, page.items[0].output) == (1, TEXT)


async def test_an_id_from_long_ago_is_looked_up_before_it_runs_again(caller, upstream):
    action, before = await caller.action(), len(upstream.asked)
    request = caller.start(action)
    old = msgspec.structs.replace(request, run_id=type(request.run_id)(int=request.run_id.int - (60_000 << 80)))
    first, again = await caller.bus.call(runs.START, old), await caller.bus.call(runs.START, old)
    assert (again, len(upstream.asked)) == (first, before + 1)


async def test_an_id_of_another_workspaces_run_is_a_conflict(caller, other, upstream):
    theirs = await other.run(await other.action())
    action = await caller.action()
    assert (await fault(caller.run(action, run_id=theirs.id))).code is Code.CONFLICT
    gate = asyncio.Event()
    upstream.plays(Answer(gate=gate))
    going_on = await other.run(await other.action(), mode=Mode.STREAMING)
    assert (await fault(caller.run(action, run_id=going_on.id))).code is Code.CONFLICT
    gate.set()


@pytest.mark.parametrize(
    ("answer", "code", "said"),
    [
        (refusal(401, "No such key"), Code.UPSTREAM, "The installation's model answered 401: No such key"),
        (refusal(400, "Too long"), Code.INVALID, "The installation's model answered 400: Too long"),
        (
            refusal(429, "Slow down", Retry_After="60"),
            Code.RATE_LIMITED,
            "The installation's model answered 429: Slow down",
        ),
    ],
)
async def test_what_the_provider_refuses_is_the_runs_failure(caller, upstream, answer, code, said):
    upstream.plays(answer)
    run = await caller.run(await caller.action())
    assert run.failure is not None
    assert (run.status, run.failure.code, run.failure.message) == (Status.FAILED, code, said)
    assert (run.output, run.usage) == ("", runs.Usage(cost=0))
    assert (await caller.frames(run.id)).frames[-1].body == feed.Failed(run.failure)


async def test_a_failed_run_keeps_what_it_had_said(caller, upstream, follower):
    upstream.plays(Answer(breaks_after=2, between=0.02))
    request = caller.start(await caller.action(), mode=Mode.STREAMING)
    _, frames = await follower.start(request)
    heard = [frame async for frame in frames]
    run = await caller.get(request.run_id)
    assert (text_of(heard), run.output) == ("Hello from", "Hello from")
    assert isinstance(heard[-1].body, feed.Failed)
    assert (run.usage.counted, run.usage.completion_tokens) == (True, 2)


@pytest.mark.parametrize("mode", [Mode.STREAMING, Mode.BLOCKING, Mode.ASYNC])
async def test_a_cancelled_run_hangs_up_and_keeps_what_it_had_said(caller, upstream, mode):
    upstream.plays(Answer(gate=asyncio.Event()))
    left, request = upstream.left, caller.start(await caller.action(), mode=mode)
    started = asyncio.create_task(caller.bus.call(runs.START, request))
    await eventually(lambda: caller.frames(request.run_id), lambda frames: text_of(frames.frames) != "")
    cancelled = await caller.cancel(request.run_id)
    await upstream.until_left(left + 1)
    assert (cancelled.status, cancelled.output) == (Status.CANCELLED, "Hello")
    assert (cancelled.usage.counted, cancelled.usage.completion_tokens > 0) == (True, True)
    assert (await caller.frames(request.run_id)).frames[-1].body == feed.Cancelled(cancelled.usage)
    assert await caller.get(request.run_id) == await caller.cancel(request.run_id) == cancelled
    assert (await started).id == request.run_id


async def test_a_run_that_is_cancelled_before_it_said_anything_has_taken_its_prompt(caller, upstream):
    upstream.plays(Answer(first=30.0), refusal(400, "no"))
    request = caller.start(await caller.action(), mode=Mode.STREAMING)
    await caller.bus.call(runs.START, request)
    await until(lambda: upstream.answering > 0)
    cancelled = await caller.cancel(request.run_id)
    assert (cancelled.status, cancelled.output) == (Status.CANCELLED, "")
    assert cancelled.usage == runs.Usage(6, 0, counted=True, cost=0)
    refused = await caller.run(await caller.action())
    assert (refused.status, refused.usage) == (Status.FAILED, runs.Usage(cost=0))


async def test_every_follower_sees_that_a_run_was_cancelled(caller, upstream, follower):
    upstream.plays(Answer(gate=asyncio.Event()))
    run, frames = await follower.start(caller.start(await caller.action(), mode=Mode.STREAMING))
    while not isinstance((await anext(frames)).body, feed.Token):
        pass
    await caller.cancel(run.id)
    assert isinstance([frame async for frame in frames][-1].body, feed.Cancelled)


async def test_a_provider_without_usage_is_counted_for(caller, upstream):
    upstream.plays(Answer(usage=None))
    run = await caller.run(await caller.action())
    assert run.usage == runs.Usage(6, 5, counted=True, cost=0)


@pytest.mark.parametrize(
    ("change", "code", "field"),
    [
        ({"action_id": ids.new()}, Code.NOT_FOUND, None),
        ({"session_id": ids.new()}, Code.NOT_FOUND, None),
        ({"inputs": {"other": 1}}, Code.INVALID, "input.question"),
        ({"inputs": ""}, Code.INVALID, "input"),
        ({"conditions": {"year": {"after": 1}}}, Code.INVALID, "metadata_filter.year"),
    ],
)
async def test_what_can_not_run_is_refused_before_it_is_a_run(caller, change, code, field):
    request = msgspec.structs.replace(caller.start(await caller.action()), **change)
    refused = await fault(caller.bus.call(runs.START, request))
    assert (refused.code, refused.field) == (code, field)
    assert not (await caller.frames(request.run_id)).found


async def test_a_page_of_runs_is_newest_first(caller):
    action, another = await caller.action(), await caller.action()
    session = await caller.session(action)
    made = []
    for more in ({}, {"session_id": session.id}, {"session_id": session.id}):
        made.append(await caller.run(action, **more))
        await asyncio.sleep(0.002)
    await caller.run(another)

    async def page(**more):
        return await caller.bus.call(runs.PAGE, runs.PageRuns(caller.workspace_id, **more))

    assert [run.id for run in (await page(action_id=action.id)).items] == [run.id for run in reversed(made)]
    assert [(await page()).total, (await page(app_id=another.app_id)).total] == [4, 1]
    second = await page(session_id=session.id, slice=Slice(1, 1))
    assert (second.items, second.total) == ([made[1]], 2)


async def test_large_inputs_and_answers_pass(caller, upstream):
    upstream.plays(Answer(pieces=("y" * 3_000_000,)))
    inputs = {"question": "x" * 5_000_000}
    run = await caller.run(await caller.action(), inputs)
    assert (run.output, run.inputs) == ("y" * 3_000_000, inputs)
    assert (await caller.get(run.id)).prompt[-1].content == inputs["question"]
    assert text_of((await caller.frames(run.id)).frames) == run.output


@pytest.mark.parametrize("protocol", ["openai", "anthropic"])
@pytest.mark.parametrize(
    ("answer", "kept"),
    [
        (Answer(pieces=("a\0b",), thoughts=("c\0",), reason="st\0p"), ("a\ufffdb", "c\ufffd", None)),
        (refusal(400, "no\0such"), ("", "", "no\ufffdsuch")),
        (refusal(422, "no\0such", content_type="text/plain"), ("", "", "no\ufffdsuch")),
    ],
)
async def test_what_a_model_says_is_kept_as_postgres_takes_it(caller, upstream, protocol, answer, kept):
    url = upstream.openai_url if protocol == "openai" else upstream.url
    model = await caller.bus.call(models.CREATE, models.CreateModel(caller.workspace_id, "small", protocol, url=url))
    upstream.plays(answer)
    run = await caller.run(await caller.action(model_id=model.id))
    said, thought, refused = kept
    assert (run.output, run.thinking) == (said, thought)
    assert refused is None if run.failure is None else refused in run.failure.message


async def test_a_large_answer_streams_through(caller, upstream, follower):
    pieces = tuple(f"{n:06} " * 100 for n in range(4000))
    upstream.plays(Answer(pieces=pieces))
    _, frames = await follower.start(caller.start(await caller.action(), mode=Mode.STREAMING))
    assert text_of([frame async for frame in frames]) == "".join(pieces)


async def test_many_runs_at_once_keep_to_themselves(caller, upstream):
    action = await caller.action("Say {{question}}")
    made = await asyncio.gather(*(caller.run(action, f"{n}") for n in range(100)))
    assert [run.prompt[-1].content for run in made] == [f"Say {n}" for n in range(100)]
    assert {run.status for run in made} == {Status.SUCCEEDED}
    assert len({run.id for run in made}) == 100


async def test_a_model_that_is_gone_is_not_found(caller):
    action = await caller.action()
    await caller.bus.call(actions.DELETE, actions.GetAction(caller.workspace_id, action.id))
    assert (await fault(caller.run(action))).message.startswith("There is no action")


async def test_the_end_of_a_run_is_stated_with_it(caller, databases, follower, upstream):
    upstream.plays(Answer(), refusal(400, "no"))
    action = await caller.action()
    session, experiment = await caller.session(), await caller.experiment(action, await caller.action())
    asked = {"experiment": str(experiment.id), "forced": True}
    first = await caller.run(action, session_id=session.id, **asked)
    second = await caller.run(action)
    connection = await asyncpg.connect(databases.dsn("runner"))
    rows = await connection.fetch("SELECT body FROM outbox WHERE subject = $1", runs.FINISHED.name)
    await connection.close()
    facts = {fact.run_id: fact for row in rows if (fact := runs.FINISHED.unpack(row["body"]))}
    told = facts[first.id]
    assert (told.workspace_id, told.app_id, told.session_id) == (caller.workspace_id, action.app_id, session.id)
    assert (told.status, told.usage, told.latency_ms) == (first.status, first.usage, first.latency_ms)
    assert (told.experiment, told.variant_id) == (str(experiment.id), experiment.variants[0].id)
    assert facts[second.id].failure == Failure("INVALID", "The run failed: its data point says why.")


async def test_the_frames_of_a_long_run_outlive_its_process(caller, upstream, databases):
    """What is written while it goes on is deleted at its end."""
    gate = asyncio.Event()
    upstream.plays(Answer(gate=gate))
    run = await caller.run(await caller.action(), mode=Mode.STREAMING)
    connection = await asyncpg.connect(databases.dsn("runner"))

    async def parts() -> list[feed.Frame]:
        rows = await connection.fetch("SELECT frames FROM run_parts WHERE run_id = $1 ORDER BY first", run.id)
        return [frame for row in rows for frame in msgspec.msgpack.decode(row["frames"], type=list[feed.Frame])]

    await eventually(parts, lambda frames: text_of(frames) == "Hello")
    gate.set()
    await caller.ended(run.id)
    assert await parts() == []
    await connection.close()
