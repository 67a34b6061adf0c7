"""Whatever the feed drops, doubles or turns round, every frame comes out once, in its place."""

from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from libs.bus.order import BUFFER, Order, weight
from libs.contracts import feed
from tests.libs.bus.holder import DONE, tokens


@dataclass
class Sent:
    """What a run's holders published: each attempt some tokens, the last one ending."""

    frames: list[feed.Frame]
    feed: list[int] = field(default_factory=list)


@st.composite
def sent(draw: st.DrawFn) -> Sent:
    attempts = draw(st.lists(st.integers(1, 8), min_size=1, max_size=3))
    frames = [frame for attempt, last in enumerate(attempts, 1) for frame in tokens(1, last, attempt=attempt)]
    frames.append(feed.Frame(len(attempts), attempts[-1] + 1, DONE))
    heard = draw(st.lists(st.integers(0, len(frames) - 1), max_size=40))
    return Sent(frames, heard)


def answer(order: Order, known: list[feed.Frame]) -> None:
    """What a holder that has `known` so far would say to this reader."""
    order.asked()
    after = [frame for frame in known if (frame.attempt, frame.n) > (order.attempt, order.after)]
    order.told(after, ended=bool(known) and known[-1].ends)


def taken(order: Order) -> list[feed.Frame]:
    frames: list[feed.Frame] = []
    while (frame := order.take()) is not None:
        frames.append(frame)
    return frames


@given(sent(), st.data())
def test_every_frame_once_and_in_order_whatever_the_feed_does(run: Sent, data: st.DataObject):
    order, out = Order(), list[feed.Frame]()
    known = 0
    for place in run.feed:
        # A frame is kept before it is published, so the holder knows at least as much as any frame heard.
        known = max(known, place + 1)
        order.heard(run.frames[place], data.draw(st.sampled_from([10, BUFFER // 3, 2 * BUFFER])))
        if data.draw(st.booleans()):
            out += taken(order)
        if order.wants and data.draw(st.booleans()):
            answer(order, run.frames[:known])
    answer(order, run.frames)
    out += taken(order)
    rounds = 0
    while order.wants and (rounds := rounds + 1) <= len(run.frames):
        answer(order, run.frames)
        out += taken(order)
    assert out == run.frames
    assert order.ended
    assert not order.wants


@given(sent(), st.data())
def test_a_reader_that_comes_back_sees_the_rest(run: Sent, data: st.DataObject):
    seen = data.draw(st.integers(0, len(run.frames)))
    last = run.frames[seen - 1] if seen else feed.Frame(1, 0, DONE)
    order = Order(last.attempt, last.n)
    for place in run.feed:
        order.heard(run.frames[place], 10)
    answer(order, run.frames)
    assert taken(order) == run.frames[seen:]
    assert order.ended


def test_a_live_run_in_order_is_never_asked_for():
    order = Order()
    for frame in [*tokens(1, 5), feed.Frame(1, 6, DONE)]:
        order.heard(frame, 10)
        assert not order.wants
    assert len(taken(order)) == 6
    assert order.ended


def test_a_gap_is_asked_for_at_once_and_an_overflow_when_the_reader_has_caught_up():
    order = Order()
    order.heard(tokens(2, 2)[0], 10)
    assert order.wants
    answer(order, tokens(1, 2))
    order.heard(tokens(3, 3)[0], BUFFER - 2000)
    order.heard(tokens(4, 4)[0], 2000)
    assert not order.wants
    assert [frame.n for frame in taken(order)] == [1, 2, 3]
    assert order.wants


def test_a_reader_that_takes_nothing_holds_little_however_often_it_is_answered():
    order, run = Order(), [*tokens(1, 20_000), feed.Frame(1, 20_001, DONE)]
    for _ in range(3):
        answer(order, run)
    held = taken(order)
    assert sum(map(weight, held)) <= BUFFER + 1000
    assert order.wants
    while not order.ended or order.wants:
        answer(order, run)
        held += taken(order)
    assert held == run


def test_a_later_attempt_on_the_feed_waits_for_what_may_have_come_before_it():
    order = Order()
    order.heard(tokens(1, 1)[0], 10)
    order.heard(tokens(1, 1, attempt=2)[0], 10)
    assert [frame.attempt for frame in taken(order)] == [1]
    answer(order, [*tokens(1, 3), *tokens(1, 1, attempt=2)])
    assert [(frame.attempt, frame.n) for frame in taken(order)] == [(1, 2), (1, 3), (2, 1)]


def test_a_place_past_the_end_of_an_ended_run_has_nothing_after_it():
    order = Order(1, 100)
    answer(order, [*tokens(1, 3), feed.Frame(1, 4, DONE)])
    assert order.ended
    assert taken(order) == []
