"""Feedback over the bus: given on a run of the workspace, read, changed, taken back, and told."""

import asyncio
from uuid import UUID

import msgspec
import pytest
from nats.aio.client import Client
from nats.aio.subscription import Subscription

from libs.contracts import feedback, ids
from libs.contracts.faults import Code, Fault
from libs.contracts.paging import Slice
from libs.contracts.subjects import Stated

MESSAGE = msgspec.msgpack.Decoder(list[Stated])

pytestmark = [pytest.mark.asyncio, pytest.mark.usefixtures("service")]


@pytest.mark.parametrize(
    ("type", "value"),
    [
        ("rating", 1),
        ("rating", 2),
        ("rating", "1"),
        ("rating", "2"),
        ("correction", "Paris, not Lyon."),
        ("issue", "It is rude."),
        ("action", "copied"),
        ("correction", "x" * 3_000_000),
        ("issue", "NUL \x00 is replaced"),
    ],
)
async def test_feedback_is_kept_as_it_was_given(bus, run_of, type, value):
    workspace = ids.new()
    run = await run_of(workspace)
    request = feedback.CreateFeedback(workspace, run, type, value, "api", "user-7", {"page": 3, "tags": ["a"]})
    given = await bus.call(feedback.CREATE, request)
    kept = value.replace("\x00", "\ufffd") if isinstance(value, str) else value
    assert (given.run_id, given.type, given.value) == (run, type, kept)
    assert (given.source, given.created_by, given.metadata) == ("api", "user-7", {"page": 3, "tags": ["a"]})
    assert await bus.call(feedback.GET, feedback.GetFeedback(workspace, given.id)) == given


@pytest.mark.parametrize(
    ("type", "value"),
    [
        ("rating", 0),
        ("rating", 3),
        ("rating", "good"),
        ("rating", "01"),
        ("rating", ""),
        ("correction", ""),
        ("correction", "  \n"),
        ("correction", 2),
        ("issue", ""),
        ("action", 1),
    ],
)
async def test_a_value_that_does_not_suit_its_type_is_refused_by_name(bus, run_of, type, value):
    workspace = ids.new()
    with pytest.raises(Fault) as refused:
        await bus.call(feedback.CREATE, feedback.CreateFeedback(workspace, await run_of(workspace), type, value))
    assert (refused.value.code, refused.value.field) == (Code.INVALID, "value")


async def test_a_run_that_the_workspace_does_not_have_gets_no_feedback(bus, run_of):
    workspace, theirs = ids.new(), await run_of(ids.new())
    for run in (theirs, ids.new()):
        with pytest.raises(Fault) as refused:
            await bus.call(feedback.CREATE, feedback.CreateFeedback(workspace, run, "rating", 2))
        assert refused.value.code is Code.NOT_FOUND
    assert (await bus.call(feedback.PAGE, feedback.PageFeedback(workspace))).total == 0


async def test_feedback_is_paged_in_the_order_it_was_given(bus, run_of):
    workspace = ids.new()
    run = await run_of(workspace)
    given = []
    for rating in (1, 2, "1", "2", 2):
        given.append(await bus.call(feedback.CREATE, feedback.CreateFeedback(workspace, run, "rating", rating)))
        await asyncio.sleep(0.002)  # ids are ordered by the millisecond
    page = await bus.call(feedback.PAGE, feedback.PageFeedback(workspace, Slice(1, 2)))
    assert (page.items, page.total) == (given[1:3], 5)
    past = await bus.call(feedback.PAGE, feedback.PageFeedback(workspace, Slice(5, 2)))
    assert (past.items, past.total) == ([], 5)


async def test_feedback_is_changed_in_part(bus, run_of):
    workspace = ids.new()
    given = await bus.call(feedback.CREATE, feedback.CreateFeedback(workspace, await run_of(workspace), "rating", "1"))
    changed = await bus.call(
        feedback.UPDATE, feedback.UpdateFeedback(workspace, given.id, value="2", metadata={"why": "misread"})
    )
    assert (changed.type, changed.value, changed.metadata) == ("rating", "2", {"why": "misread"})
    assert (changed.source, changed.created_at) == (given.source, given.created_at)
    assert changed.updated_at > given.updated_at
    assert await bus.call(feedback.GET, feedback.GetFeedback(workspace, given.id)) == changed


async def test_a_change_that_does_not_suit_is_refused_and_changes_nothing(bus, run_of):
    workspace = ids.new()
    given = await bus.call(feedback.CREATE, feedback.CreateFeedback(workspace, await run_of(workspace), "rating", 1))
    for change in (
        feedback.UpdateFeedback(workspace, given.id, value=5),
        feedback.UpdateFeedback(workspace, given.id, type="correction"),
    ):
        with pytest.raises(Fault) as refused:
            await bus.call(feedback.UPDATE, change)
        assert (refused.value.code, refused.value.field) == (Code.INVALID, "value")
    assert await bus.call(feedback.GET, feedback.GetFeedback(workspace, given.id)) == given


async def test_feedback_taken_back_is_gone(bus, run_of):
    workspace = ids.new()
    run = await run_of(workspace)
    first, second = [
        await bus.call(feedback.CREATE, feedback.CreateFeedback(workspace, run, "rating", rating)) for rating in (1, 2)
    ]
    assert await bus.call(feedback.DELETE, feedback.GetFeedback(workspace, first.id)) == first
    page = await bus.call(feedback.PAGE, feedback.PageFeedback(workspace))
    assert (page.items, page.total) == ([second], 1)
    with pytest.raises(Fault) as refused:
        await bus.call(feedback.DELETE, feedback.GetFeedback(workspace, first.id))
    assert refused.value.code is Code.NOT_FOUND
    assert (await bus.call(feedback.PAGE, feedback.PageFeedback(workspace))).total == 1


async def test_the_feedback_of_many_runs_comes_in_one_answer(bus, run_of):
    workspace = ids.new()
    one, other, silent = [await run_of(workspace) for _ in range(3)]
    given = {
        (await bus.call(feedback.CREATE, feedback.CreateFeedback(workspace, run, "rating", 2))).id
        for run in (one, other, one)
    }
    of = await bus.call(feedback.OF, feedback.FeedbackOf(workspace, [one, other, silent]))
    assert {each.id for each in of} == given
    assert [each.run_id for each in await bus.call(feedback.OF, feedback.FeedbackOf(workspace, [other]))] == [other]
    assert await bus.call(feedback.OF, feedback.FeedbackOf(workspace, [])) == []


async def test_another_workspace_does_not_find_it(bus, run_of):
    workspace, stranger = ids.new(), ids.new()
    run = await run_of(workspace)
    given = await bus.call(feedback.CREATE, feedback.CreateFeedback(workspace, run, "rating", 2))
    for rpc, request in (
        (feedback.GET, feedback.GetFeedback(stranger, given.id)),
        (feedback.UPDATE, feedback.UpdateFeedback(stranger, given.id, value=1)),
        (feedback.DELETE, feedback.GetFeedback(stranger, given.id)),
    ):
        with pytest.raises(Fault) as refused:
            await bus.call(rpc, request)
        assert refused.value.code is Code.NOT_FOUND
    assert await bus.call(feedback.OF, feedback.FeedbackOf(stranger, [run])) == []
    assert await bus.call(feedback.GET, feedback.GetFeedback(workspace, given.id)) == given


@pytest.mark.parametrize(("value", "told"), [(2, 2), ("2", "2"), ("Paris, not Lyon.", "")])
async def test_feedback_is_told_as_an_event_that_holds_no_text(bus, run_of, nats_url, value, told):
    workspace = ids.new()
    type = "correction" if isinstance(value, str) and len(value) > 1 else "rating"
    listener = Client()
    await listener.connect(nats_url)
    heard = await listener.subscribe(feedback.CREATED.name)
    await listener.flush()
    given = await bus.call(feedback.CREATE, feedback.CreateFeedback(workspace, await run_of(workspace), type, value))
    fact = await _told(heard, workspace)
    await listener.close()
    assert fact == feedback.FeedbackCreated(workspace, given.id, given.run_id, type, told)


async def _told(heard: Subscription, workspace: UUID) -> feedback.FeedbackCreated:
    """The fact of that workspace: those of earlier tests may still be on their way, and leave together with it."""
    while True:
        message = await heard.next_msg(timeout=60)
        facts = [feedback.CREATED.unpack(stated.body) for stated in MESSAGE.decode(message.data)]
        if own := [fact for fact in facts if fact.workspace_id == workspace]:
            return own[0]
