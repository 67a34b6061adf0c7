"""Frames: numbered when they are flushed, and made again exactly from what is stored."""

from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from libs.contracts import feed, runs
from libs.contracts.faults import Failure
from services.runner.runs.frames import Recording, following, recorded, restored

_NOBODY = UUID(int=0)
SCORED = [feed.Scored(feed.Alternative("sco", -0.5, b"sco"), []), feed.Scored(feed.Alternative("red", -1.5))]

said = st.one_of(
    st.tuples(st.just(feed.Token), st.text(max_size=5)),
    st.tuples(st.just(feed.Thinking), st.text(max_size=5)),
    st.just((feed.Token, "scored")),
    st.just((None, runs.ToolCall("1", "f", "{}"))),
    st.just((None, feed.ToolResult("1", "f", "42", ms=1.5))),
    st.builds(lambda text: (None, feed.Replaced(text)), st.text(max_size=5)),
    st.just((None, feed.Token("of a node", "writer"))),
    st.just((None, "flush")),
)


@given(st.lists(said, max_size=30))
def test_every_frame_is_made_again_from_what_is_stored(pieces):
    recording = Recording(attempt=2)
    for kind, what in pieces:
        if kind is not None:
            recording.say(kind, what, SCORED if what == "scored" else None)
        elif what == "flush":
            recording.flush()
        else:
            recording.add(what)
    recording.add(feed.Done("stop", runs.Usage(), 1.0))
    assert [frame.n for frame in recording.frames] == list(range(1, len(recording.frames) + 1))
    assert restored(recorded(recording.frames), 2) == recording.frames


def test_the_output_is_what_a_reader_is_left_with():
    recording = Recording()
    for body in (feed.Token("no"), feed.Thinking("hm"), feed.Replaced("ye"), feed.Token("s"), feed.Token("x", "node")):
        recording.add(body)
    kept = recorded(recording.frames)
    assert (kept.output, kept.thinking) == ("yes", "hm")


def test_text_waits_until_it_is_flushed_and_keeps_its_place():
    recording = Recording()
    recording.say(feed.Token, "a")
    recording.say(feed.Token, "b")
    assert recording.frames == []
    recording.say(feed.Thinking, "hm")
    recording.add(runs.ToolCall("1", "f", "{}"))
    bodies = [frame.body for frame in recording.frames]
    assert bodies == [feed.Token("ab"), feed.Thinking("hm"), runs.ToolCall("1", "f", "{}")]


def test_a_reader_gets_what_follows_its_place():
    recording = Recording(attempt=2)
    for letter in "abc":
        recording.add(feed.Token(letter))

    def after(attempt: int, after: int) -> str:
        frames = recording.after(feed.Cursor(_NOBODY, _NOBODY, attempt, after))
        return "".join(frame.body.text for frame in frames if isinstance(frame.body, feed.Token))

    assert after(2, 1) == "bc"
    assert after(2, 3) == after(2, 99) == ""
    assert after(2, -5) == "abc"
    assert after(1, 2) == "abc", "an earlier attempt's reader begins again"
    assert after(3, 0) == ""


def test_readers_of_a_run_whose_holder_died_go_on_to_its_one_last_frame():
    recording = Recording(attempt=1)
    for letter in "abc":
        recording.add(feed.Token(letter))
    last = feed.Frame(2, 1, feed.Failed(Failure("UNAVAILABLE", "Start it again.")))
    frames = restored(recorded(recording.frames, closing=last), 2)
    assert frames == [*recording.frames, last]

    def after(attempt: int, after: int) -> list[feed.Frame]:
        return following(frames, feed.Cursor(_NOBODY, _NOBODY, attempt, after))

    assert after(1, 0) == frames
    assert after(1, 2) == frames[2:]
    assert after(1, 30) == [last], "a reader may have seen more than was written"
    assert after(2, 1) == []
    assert restored(recorded([], closing=last), 2) == [last]
