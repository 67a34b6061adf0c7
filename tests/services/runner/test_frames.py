"""Frames: numbered when they are flushed, and made again exactly from what is stored."""

from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from libs.contracts import runs
from services.runner.frames import Recording, recorded, restored

_NOBODY = UUID(int=0)

said = st.one_of(
    st.tuples(st.just(runs.Token), st.text(max_size=5)),
    st.tuples(st.just(runs.Thinking), st.text(max_size=5)),
    st.just((None, runs.ToolCall("1", "f", "{}"))),
    st.just((None, runs.Token("of a node", "writer"))),
    st.just((None, "flush")),
)


@given(st.lists(said, max_size=30))
def test_every_frame_is_made_again_from_what_is_stored(pieces):
    recording = Recording(attempt=2)
    for kind, what in pieces:
        if kind is not None:
            recording.say(kind, what)
        elif what == "flush":
            recording.flush()
        else:
            recording.add(what)
    recording.add(runs.Done("stop", runs.Usage(), 1.0))
    assert [frame.n for frame in recording.frames] == list(range(1, len(recording.frames) + 1))
    assert restored(recorded(recording.frames), 2) == recording.frames


def test_text_waits_until_it_is_flushed_and_keeps_its_place():
    recording = Recording()
    recording.say(runs.Token, "a")
    recording.say(runs.Token, "b")
    assert recording.frames == []
    recording.say(runs.Thinking, "hm")
    recording.add(runs.ToolCall("1", "f", "{}"))
    bodies = [frame.body for frame in recording.frames]
    assert bodies == [runs.Token("ab"), runs.Thinking("hm"), runs.ToolCall("1", "f", "{}")]


def test_a_reader_gets_what_follows_its_place():
    recording = Recording(attempt=2)
    for letter in "abc":
        recording.add(runs.Token(letter))

    def after(attempt: int, after: int) -> str:
        frames = recording.after(runs.Cursor(_NOBODY, _NOBODY, attempt, after))
        return "".join(frame.body.text for frame in frames if isinstance(frame.body, runs.Token))

    assert after(2, 1) == "bc"
    assert after(2, 3) == after(2, 99) == ""
    assert after(2, -5) == "abc"
    assert after(1, 2) == "abc", "an earlier attempt's reader begins again"
    assert after(3, 0) == ""
