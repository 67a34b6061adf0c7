"""Going on from a run: its session where it is the last turn, a branch where something has followed it."""

import asyncio
from functools import partial

import pytest

from libs.contracts import ids, runs, sessions
from libs.contracts.faults import Code, Fault
from tests.services.runner.conftest import eventually
from tests.support.provider import Answer

pytestmark = pytest.mark.asyncio


async def said(caller, upstream, action, question, session_id=None):
    upstream.plays(Answer(pieces=(f"On {question}.",)))
    return await caller.run(action, question, session_id=session_id)


async def following(caller, run, **more):
    return await caller.bus.call(sessions.CONTINUE, sessions.ContinueFrom(caller.workspace_id, run.id, **more))


def questions(run: runs.Run) -> list[str]:
    return [message.content for message in run.prompt if message.role == "user"]


async def test_a_run_without_a_session_begins_one_that_remembers_it(caller, upstream):
    action = await caller.action(kind="chat")
    first = await said(caller, upstream, action, "a")
    session = await following(caller, first)
    second = await said(caller, upstream, action, "b", session.id)
    assert (first.session_id, session.action_id, questions(second), second.turn) == (None, action.id, ["a", "b"], 2)
    assert (await caller.get(first.id)).session_id == session.id


async def test_the_last_turn_of_a_session_is_followed_in_it(caller, upstream):
    action, session = await caller.action(), await caller.session()
    run = await said(caller, upstream, action, "a", session.id)
    assert (await following(caller, run)).id == session.id
    run = await said(caller, upstream, action, "b", session.id)
    assert (await following(caller, run)).id == session.id


async def test_an_older_turn_is_followed_in_a_branch_that_remembers_the_turns_up_to_it(caller, upstream):
    action, session = await caller.action(), await caller.session()
    first = await said(caller, upstream, action, "a", session.id)
    await said(caller, upstream, action, "b", session.id)
    branch = await following(caller, first)
    assert branch.id != session.id
    aside = await said(caller, upstream, action, "c", branch.id)
    onward = await said(caller, upstream, action, "d", session.id)
    assert questions(aside) == ["a", "c"]
    assert questions(onward) == ["a", "b", "d"]
    assert (await following(caller, aside)).id == branch.id


async def test_of_several_who_follow_one_turn_at_once_none_sees_another(caller, upstream):
    action = await caller.action()
    first = await said(caller, upstream, action, "a")
    found = await asyncio.gather(*(following(caller, first) for _ in range(5)))
    assert len({session.id for session in found}) == 5
    for session, question in zip(found, "bcdef", strict=True):
        await said(caller, upstream, action, question, session.id)
    last = await said(caller, upstream, action, "g", found[0].id)
    assert questions(last) == ["a", "b", "g"]


async def test_the_same_branch_asked_for_again_is_the_same(caller, upstream):
    action = await caller.action()
    first = await said(caller, upstream, action, "a")
    id = ids.new()
    assert (await following(caller, first, id=id)).id == id
    await following(caller, first)
    assert (await following(caller, first, id=id)).id == id


async def test_a_session_that_was_deleted_is_not_gone_on_with(caller, upstream):
    action, session = await caller.action(), await caller.session()
    run = await said(caller, upstream, action, "a", session.id)
    await caller.bus.call(sessions.DELETE, sessions.GetSession(caller.workspace_id, session.id))
    with pytest.raises(Fault) as raised:
        await following(caller, run)
    assert raised.value.code is Code.NOT_FOUND


async def test_a_branch_that_is_deleted_leaves_the_session_it_branched_from(caller, upstream):
    action, session = await caller.action(), await caller.session()
    first = await said(caller, upstream, action, "a", session.id)
    last = await said(caller, upstream, action, "b", session.id)
    branch = await following(caller, first)
    await said(caller, upstream, action, "c", branch.id)
    await caller.bus.call(sessions.DELETE, sessions.GetSession(caller.workspace_id, branch.id))
    assert (await following(caller, last)).id == session.id
    assert questions(await said(caller, upstream, action, "d", session.id)) == ["a", "b", "d"]


async def test_a_turn_that_a_branch_remembers_outlives_the_session_that_it_began_in(caller, upstream):
    action, session = await caller.action(), await caller.session()
    first = await said(caller, upstream, action, "a", session.id)
    second = await said(caller, upstream, action, "b", session.id)
    branch = await following(caller, first)
    await caller.bus.call(sessions.DELETE, sessions.GetSession(caller.workspace_id, session.id))
    assert await _refusal(caller, second) is Code.NOT_FOUND
    assert questions(await said(caller, upstream, action, "c", branch.id)) == ["a", "c"]
    anew = await following(caller, first)
    assert anew.id not in (session.id, branch.id)
    assert questions(await said(caller, upstream, action, "d", anew.id)) == ["a", "d"]


async def test_a_run_that_goes_on_can_not_be_followed_yet(caller, upstream):
    gate = asyncio.Event()
    action = await caller.action()
    upstream.plays(Answer(pieces=("a", "b"), gate=gate))
    started = await caller.run(action, mode=runs.Mode.STREAMING)
    await eventually(partial(_refusal, caller, started), lambda code: code is Code.CONFLICT)
    gate.set()
    await caller.ended(started.id)


async def _refusal(caller, run) -> Code | None:
    """Its row, which tells how it stands, is written beside the call of the model."""
    try:
        await following(caller, run)
    except Fault as fault:
        return fault.code
    return None


async def test_another_workspace_s_run_can_not_be_followed(caller, other, upstream):
    run = await said(caller, upstream, await caller.action(), "a")
    with pytest.raises(Fault) as raised:
        await following(other, run)
    assert raised.value.code is Code.NOT_FOUND
