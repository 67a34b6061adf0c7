"""Runs of sessions, grounded runs and cached ones: what a prompt is made of besides its template.

Retrieval is stood in for: what it finds is what a test says it finds.
"""

import asyncio
from collections.abc import AsyncIterator
from uuid import UUID

import pytest
import pytest_asyncio

from libs.blobs import Blobs
from libs.bus.bus import Bus
from libs.contracts import actions, contexts, feed, ids, runs, search, sessions, tools
from libs.contracts.actions import Parameters
from libs.contracts.faults import Code, Failure, Fault, not_found
from libs.contracts.runs import Message, Mode, Status
from services.runner.runs import grounding
from services.runner.runs.frames import recorded
from services.runner.store.grounded import Grounded
from services.runner.tools.builtin.names import IDS
from tests.support.provider import Answer, Call, calling
from tests.support.services import blobs_folder

pytestmark = pytest.mark.asyncio


class Known:
    """What the stand-in for retrieval knows: revisions of contexts, and the passages it finds whatever it is asked."""

    def __init__(self) -> None:
        self.revisions: dict[UUID, int] = {}
        self.passages: list[search.Passage] = []
        self.asked: list[search.Query] = []
        self.fault: Fault | None = None

    def context(self, *texts: str) -> UUID:
        id = ids.new()
        self.revisions[id] = 1
        self.passages = [
            search.Passage(ids.new(), ids.new(), id, f"Page {place}", place, text, 0.9, {})
            for place, text in enumerate(texts, 1)
        ]
        return id

    async def query(self, asked: search.Query) -> list[search.Passage]:
        self.asked.append(asked)
        if self.fault is not None:
            raise self.fault
        if gone := [id for id in asked.context_ids if id not in self.revisions]:
            raise not_found("context", gone[0])
        return self.passages

    async def of(self, asked: contexts.GetRevisions) -> dict[UUID, int]:
        return {id: self.revisions[id] for id in asked.context_ids if id in self.revisions}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def known(nats_url, databases) -> AsyncIterator[Known]:
    known = Known()
    blobs = Blobs.open(f"file://{blobs_folder(databases.url)}")
    retrieval = await Bus.connect(nats_url, owner="retrieval", instance="retrieval-test", blobs=blobs)
    await retrieval.serve(search.QUERY, known.query)
    await retrieval.serve(contexts.REVISIONS, known.of)
    yield known
    await retrieval.close()


async def test_a_session_remembers_its_turns_in_order(caller, upstream):
    action = await caller.action("Q: {{question}}", system_message="Be kind.")
    session = await caller.session(action)
    for n in range(1, 4):
        upstream.plays(Answer(pieces=(f"a{n}",)))
        run = await caller.run(action, f"q{n}", session_id=session.id)
        assert (run.turn, run.session_id) == (n, session.id)
    assert [(turn.role, turn.content) for turn in run.prompt] == [
        ("system", "Be kind."),
        ("user", "Q: q1"),
        ("assistant", "a1"),
        ("user", "Q: q2"),
        ("assistant", "a2"),
        ("user", "Q: q3"),
    ]
    assert [asked["content"] for asked in upstream.asked[-1].body["messages"]][-1] == "Q: q3"


async def test_a_session_goes_on_in_another_action(caller, upstream):
    session = await caller.session()
    await caller.run(await caller.action(), "first", session_id=session.id)
    run = await caller.run(await caller.action("Then: {{x}}"), "second", session_id=session.id)
    assert [turn.content for turn in run.prompt] == ["first", "Hello from the model.", "Then: second"]


async def test_turns_that_do_not_fit_the_window_are_left_out(caller, upstream):
    upstream.plays(*(Answer(pieces=("word " * 600,)) for _ in range(3)))
    action = await caller.action()
    session = await caller.session()
    for n in range(3):
        await caller.run(action, f"q{n}", session_id=session.id)
    run = await caller.run(action, "now", session_id=session.id)
    assert [turn.content for turn in run.prompt if turn.role == "user"] == ["q1", "q2", "now"]


async def test_a_turn_that_failed_is_not_remembered(caller, upstream):
    action, session = await caller.action(), await caller.session()
    upstream.plays(Answer(breaks_after=1, between=0.02))
    failed = await caller.run(action, "first", session_id=session.id)
    run = await caller.run(action, "second", session_id=session.id)
    assert (failed.status, failed.turn, run.turn) == (Status.FAILED, 1, 2)
    assert run.prompt == [Message("user", "second")]


async def test_turns_at_once_get_a_number_each_and_see_the_state_before(caller, upstream):
    action, session = await caller.action(), await caller.session()
    await caller.run(action, "first", session_id=session.id)
    made = await asyncio.gather(*(caller.run(action, "more", session_id=session.id) for _ in range(20)))
    assert sorted(run.turn for run in made) == list(range(2, 22))
    page = await caller.bus.call(runs.PAGE, runs.PageRuns(caller.workspace_id, session_id=session.id))
    assert sorted(run.turn for run in page.items) == list(range(1, 22))


async def test_passages_stand_numbered_in_the_prompt_and_are_the_runs_sources(caller, upstream, known, follower):
    context = known.context("The sky is blue.", "Grass is green.")
    action = await caller.action("Colours? {{question}}", context_ids=[context], system_message="Be kind.")
    asked = caller.start(action, "Which?", mode=Mode.STREAMING, conditions={"year": {"gte": 2020}, "by": ["a", "b"]})
    run, frames = await follower.start(asked)
    heard = [frame.body async for frame in frames]
    retrieved = next(body for body in heard if isinstance(body, feed.Retrieved))
    assert [(source.name, source.position, source.score) for source in retrieved.sources] == [
        ("Page 1", 1, 0.9),
        ("Page 2", 2, 0.9),
    ]
    kept = await caller.get(run.id)
    assert kept.sources == retrieved.sources
    prompt = kept.prompt[-1].content
    assert prompt.index("[1] Page 1\nThe sky is blue.") < prompt.index("[2] Page 2\nGrass is green.")
    assert prompt.endswith("Colours? Which?")
    query = known.asked[-1]
    assert (query.context_ids, query.text, query.workspace_id) == ([context], "Which?", caller.workspace_id)
    assert query.conditions == {"year": search.Range(gte=2020), "by": search.AnyOf(["a", "b"])}


async def test_memory_keeps_the_question_without_its_passages(caller, known):
    action = await caller.action(context_ids=[known.context("The sky is blue.")])
    session = await caller.session()
    await caller.run(action, "Which?", session_id=session.id)
    run = await caller.run(action, "And now?", session_id=session.id)
    assert [turn.content for turn in run.prompt[:-1]] == ["Which?", "Hello from the model."]
    assert "The sky is blue." in run.prompt[-1].content


async def test_passages_that_do_not_fit_are_no_sources(caller, known):
    context = known.context("short", "word " * 3000, "brief")
    run = await caller.run(await caller.action(context_ids=[context]), "Which?")
    assert [source.name for source in run.sources] == ["Page 1", "Page 3"]
    assert "[2] Page 3\nbrief" in run.prompt[-1].content


async def test_nothing_found_leaves_the_prompt_as_it_is(caller, known):
    run = await caller.run(await caller.action(context_ids=[known.context()]), "Which?")
    assert (run.prompt, run.sources) == ([Message("user", "Which?")], [])


async def test_an_action_is_grounded_in_what_there_is(caller, known):
    with pytest.raises(Fault) as caught:
        await caller.action(context_ids=[known.context("x"), ids.new()])
    assert (caught.value.code, caught.value.message.startswith("There is no context")) == (Code.NOT_FOUND, True)


async def test_an_action_answers_from_the_contexts_that_are_left(caller, known):
    gone, left = known.context("old"), known.context("x")
    action = await caller.action(context_ids=[gone, left])
    del known.revisions[gone]
    run = await caller.run(action)
    assert ([source.context_id for source in run.sources], known.asked[-1].context_ids) == ([left], [left])
    renamed = await caller.bus.call(actions.UPDATE, actions.UpdateAction(caller.workspace_id, action.id, name="Again"))
    assert (renamed.name, renamed.context_ids) == ("Again", [gone, left])


async def test_an_action_with_no_context_left_fails_instead_of_guessing(caller, known):
    gone = known.context("old")
    action = await caller.action(context_ids=[gone])
    del known.revisions[gone]
    run = await caller.run(action)
    assert (run.status, run.failure.code) == (Status.FAILED, Code.CONFLICT)


async def test_a_search_that_fails_is_the_runs_failure(caller, known, monkeypatch):
    action = await caller.action(context_ids=[known.context("x")])
    monkeypatch.setattr(known, "fault", Fault(Code.UNAVAILABLE, "No vectors today."))
    run = await caller.run(action)
    assert (run.status, run.failure) == (Status.FAILED, Failure("UNAVAILABLE", "No vectors today."))


async def test_a_model_may_search_and_what_it_finds_are_sources(caller, upstream, known, follower):
    context = known.context("The sky is blue.", "Grass is green.")
    handbook = tools.CreateTool(caller.workspace_id, "handbook", tools.SearchContext([context], limit=2))
    tool = await caller.bus.call(tools.CREATE, handbook)
    action = await caller.action(tool_ids=[tool.id])
    looks = Call("c1", "handbook", '{"query": "colours"}'), Call("c2", "handbook", '{"query": "colour"}')
    upstream.plays(calling(*looks), Answer())
    conditions = {"year": 2020}
    run, frames = await follower.start(caller.start(action, mode=Mode.STREAMING, conditions=conditions))
    heard = [frame.body async for frame in frames]
    query, _ = known.asked[-2:]
    assert (query.context_ids, query.text, query.limit) == ([context], "colours", 2)
    assert query.conditions == {"year": search.Equals(2020)}, "a run's conditions hold for what its model looks for"
    told = upstream.asked[-1].results
    assert told["c1"].endswith("[1] Page 1\nThe sky is blue.\n\n[2] Page 2\nGrass is green.")
    assert told["c2"] == told["c1"], "a passage that was found twice is one source"
    sources = (await caller.get(run.id)).sources
    assert [source.name for source in sources] == ["Page 1", "Page 2"]
    assert [source for body in heard if isinstance(body, feed.Retrieved) for source in body.sources] == sources


async def test_the_built_in_search_is_of_the_actions_contexts(caller, upstream, known):
    context = known.context("The sky is blue.")
    upstream.plays(calling(Call("c1", "search_context", '{"query": "sky"}')), Answer())
    await caller.run(await caller.action(tool_ids=[IDS["search_context"]], context_ids=[context]))
    assert known.asked[-1].context_ids == [context]
    upstream.plays(calling(Call("c1", "search_context", '{"query": "sky"}')), Answer())
    await caller.run(await caller.action(tool_ids=[IDS["search_context"]]))
    assert upstream.asked[-1].results["c1"] == "Tool 'search_context' raised: there are no contexts to search"


async def test_a_search_of_contexts_that_nobody_has_is_refused(caller, known):
    asked = tools.CreateTool(caller.workspace_id, "handbook", tools.SearchContext([ids.new()]))
    with pytest.raises(Fault) as caught:
        await caller.bus.call(tools.CREATE, asked)
    assert caught.value.code is Code.NOT_FOUND


async def test_a_deleted_documents_passages_go_out_of_what_tools_said(caller, upstream, known):
    context = known.context("The sky is blue.")
    upstream.plays(calling(Call("c1", "search_context", '{"query": "sky"}')), Answer())
    run = await caller.run(await caller.action(tool_ids=[IDS["search_context"]], context_ids=[context]))
    frames = recorded((await caller.frames(run.id)).frames).cut
    kept = Grounded(run.id, "Why?", run.prompt, frames, run.sources)
    assert b"The sky is blue." in kept.frames
    after = grounding.without(kept, {run.sources[0].document_id})
    assert b"The sky is blue." not in after.frames
    assert b"c1" in after.frames, "that the tool was called is still told"


async def test_a_cached_answer_is_a_run_of_its_own(caller, upstream, follower):
    upstream.plays(Answer(pieces=("once",), thoughts=("hm",)))
    action = await caller.action()
    first = await caller.run(action, cache=True)
    before = len(upstream.asked)
    again = await caller.run(action, cache=True)
    assert len(upstream.asked) == before
    assert (again.output, again.thinking, again.prompt) == ("once", "hm", first.prompt)
    assert (again.cached_from, first.cached_from) == (first.id, None)
    assert (again.usage, again.status) == (runs.Usage(cost=0), Status.SUCCEEDED)
    run, frames = await follower.start(caller.start(action, mode=Mode.STREAMING, cache=True))
    heard = [frame.body async for frame in frames]
    assert isinstance(heard[0], feed.Started)
    assert (heard[0].cached_from, heard[1:3]) == (first.id, [feed.Thinking("hm"), feed.Token("once")])
    assert (await caller.frames(run.id)).frames[-1].body == heard[-1]


async def test_a_cached_answer_is_for_like_runs_only(caller, other, upstream, known):
    action = await caller.action("Q: {{question}}", context_ids=[known.context("x")])
    session = await caller.session()
    await caller.run(action, "Why?", cache=True)

    async def is_cached(**more) -> bool:
        return (await caller.run(action, more.pop("inputs", "Why?"), cache=True, **more)).cached_from is not None

    assert await is_cached()
    assert not await is_cached(inputs="How?")
    assert not await is_cached(parameters=Parameters(temperature=0))
    assert not await is_cached(conditions={"year": 2020})
    assert not (await caller.run(action, "Why?")).cached_from, "who does not ask for it gets an answer of its own"
    assert await is_cached(session_id=session.id)
    assert not await is_cached(session_id=session.id), "the session remembers a turn now"
    known.revisions[action.context_ids[0]] += 1
    assert not await is_cached()
    await caller.bus.call(actions.UPDATE, actions.UpdateAction(caller.workspace_id, action.id, description="new"))
    assert not await is_cached()
    assert await is_cached()


async def test_a_failed_answer_is_not_cached(caller, upstream):
    upstream.plays(Answer(breaks_after=1, between=0.02))
    action = await caller.action()
    assert (await caller.run(action, cache=True)).status is Status.FAILED
    assert (await caller.run(action, cache=True)).cached_from is None


async def test_a_turn_that_is_erased_while_the_next_one_goes_on_is_not_written_down_again(caller, upstream, follower):
    gate = asyncio.Event()
    upstream.plays(Answer(pieces=("Kept.",)), Answer(pieces=("Gone.",)), Answer(gate=gate))
    action, session = await caller.action(), await caller.session()
    await caller.run(action, "What stays?", session_id=session.id)
    erased = await caller.run(action, "What goes?", session_id=session.id)
    later = caller.start(action, "And then?", session_id=session.id, mode=Mode.STREAMING)
    _, frames = await follower.start(later)
    await anext(frames)
    await caller.bus.call(runs.DELETE, runs.GetRun(caller.workspace_id, erased.id))
    gate.set()
    assert isinstance([frame.body async for frame in frames][-1], feed.Done)
    kept = await caller.get(later.run_id)
    assert [message.content for message in kept.prompt] == ["What stays?", "Kept.", "And then?"]
    assert [asked["content"] for asked in upstream.asked[-1].body["messages"]][2:4] == ["What goes?", "Gone."]
    upstream.plays(Answer(pieces=("Kept again.",)))
    last = await caller.run(action, "And now?", session_id=session.id)
    assert [message.content for message in last.prompt][-3:] == ["And then?", "Hello from the model.", "And now?"]
    assert "Gone." not in str(last.prompt)


async def test_a_session_that_is_deleted_while_it_speaks_loses_only_its_turn(caller, upstream, follower):
    gate = asyncio.Event()
    upstream.plays(Answer(gate=gate))
    action, session = await caller.action(), await caller.session()
    request = caller.start(action, session_id=session.id, mode=Mode.STREAMING)
    _, frames = await follower.start(request)
    await anext(frames)
    await caller.bus.call(sessions.DELETE, sessions.GetSession(caller.workspace_id, session.id))
    gate.set()
    assert isinstance([frame.body async for frame in frames][-1], feed.Done)
    assert (await caller.get(request.run_id)).turn is None
