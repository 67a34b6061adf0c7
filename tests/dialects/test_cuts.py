"""A stream that breaks after any of its bytes, in every voice: what a client has then, and what resuming gives it.

A voice joins with one line in VOICES: its translator from frames to events, and how its clients read one event.
"""

import json
from collections.abc import Callable
from itertools import pairwise
from typing import NamedTuple

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from libs.contracts import feed, ids, runs
from libs.contracts.faults import Code, Failure
from services.gateway.completions import told as completions
from services.gateway.dialects.klairo.translate import events as klairo
from services.gateway.dialects.klisk.translate import events as klisk
from services.gateway.dialects.klu.translate import events as klu
from services.gateway.dialects.openai.translate import events as responses
from services.gateway.http.places import Place
from services.gateway.http.sse import Event
from services.runner.runs.frames import following
from tests.dialects.klu import examples


class Voice(NamedTuple):
    """`tell` makes events of frames as they come due together, for a client that has `seen` those up to a place.
    `read` makes of a client's text so far and of an event's name and data its text after that event.

    `restarts`: its clients learn from an event that an answer begins again.
    """

    tell: Callable[[list[list[feed.Frame]], Place], list[Event]]
    read: Callable[[str, str, str], str]
    restarts: bool = True


def klu_tells(batches: list[list[feed.Frame]], seen: Place) -> list[Event]:
    return [event for batch in unseen(batches, seen) for event in klu.of(RUN, batch)]


def klu_reads(text: str, name: str, data: str) -> str:
    if data == "BEGIN_STREAM":
        return ""
    return text + json.loads(data)["token"] if data.startswith("{") and not name else text


def klisk_tells(batches: list[list[feed.Frame]], seen: Place) -> list[Event]:
    telling = klisk.Telling(RUN)
    return [event for batch in unseen(batches, seen) for frame in batch for event in telling.lines(frame)]


def klisk_reads(text: str, name: str, data: str) -> str:
    event = json.loads(data) if data != "[DONE]" else {"type": ""}
    return text + event["data"] if event["type"] == "token" else text


def klairo_tells(batches: list[list[feed.Frame]], seen: Place) -> list[Event]:
    telling = klairo.Telling(replace(examples.run, id=RUN), seen=seen)
    return [event for batch in batches for frame in batch for event in telling.of(frame)]


def klairo_reads(text: str, name: str, data: str) -> str:
    event = json.loads(data) if data != "[DONE]" else {"type": ""}
    if event["type"] == "done":
        assert event["content"] == text
    return text + event["content"] if event["type"] == "token" else text


def completions_tell(batches: list[list[feed.Frame]], seen: Place) -> list[Event]:
    telling = completions.Telling(replace(examples.run, id=RUN), "model", usage=True, seen=seen)
    return [telling.begin(), *(event for batch in batches for frame in batch for event in telling.of(frame))]


def completions_read(text: str, name: str, data: str) -> str:
    chunk = json.loads(data) if data != "[DONE]" else {}
    return text + "".join(choice["delta"].get("content") or "" for choice in chunk.get("choices", ()))


def responses_tell(batches: list[list[feed.Frame]], seen: Place) -> list[Event]:
    telling = responses.Telling(replace(examples.run, id=RUN), seen=seen)
    return [event for batch in batches for frame in batch for event in telling.of(frame)]


def responses_read(text: str, name: str, data: str) -> str:
    return text + json.loads(data)["delta"] if name == "response.output_text.delta" else text


VOICES = {
    "klu": Voice(klu_tells, klu_reads),
    "klisk": Voice(klisk_tells, klisk_reads, restarts=False),
    "klairo": Voice(klairo_tells, klairo_reads, restarts=False),
    "openai: completions": Voice(completions_tell, completions_read, restarts=False),
    "openai: responses": Voice(responses_tell, responses_read, restarts=False),
}

RUN = ids.new()
STARTED = feed.Started(RUN, None, "model", "provider")
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
SAID = st.one_of(
    TEXTS.map(feed.Token),
    TEXTS.map(feed.Token),
    TEXTS.map(feed.Thinking),
    st.just(runs.ToolCall("1", "look", "{}")),
    st.just(feed.Unknown()),
)
ENDS = st.sampled_from(
    [
        feed.Done("stop", runs.Usage(), 1.0),
        feed.Cancelled(runs.Usage()),
        feed.Failed(Failure(Code.UPSTREAM, "The provider broke off.")),
    ]
)


@st.composite
def recordings(draw: st.DrawFn) -> list[feed.Frame]:
    """The frames of a run, one attempt or two."""
    attempts = [[STARTED, *draw(st.lists(SAID, max_size=6))]]
    if draw(st.booleans()):
        attempts.append([feed.Restarted(), STARTED, *draw(st.lists(SAID, max_size=6))])
    attempts[-1].append(draw(ENDS))
    return [feed.Frame(attempt, n, body) for attempt, said in enumerate(attempts, 1) for n, body in enumerate(said, 1)]


def text_of(frames: list[feed.Frame]) -> str:
    """What a reader of these frames has as the answer."""
    text = ""
    for frame in frames:
        match frame.body:
            case feed.Restarted():
                text = ""
            case feed.Token(said):
                text += said
    return text


def until(frames: list[feed.Frame], id: str) -> list[feed.Frame]:
    """The frames that an event's id stands for."""
    place = Place.of(id)
    assert place is not None
    assert place.run_id == RUN
    return [frame for frame in frames if (frame.attempt, frame.n) <= (place.attempt, place.n)]


class Client:
    """Reads bytes as they come. `text` and `id` are those of whole events; `seen` and `seen_id` are of whole lines.

    What came without an id of its own is unsaid when the stream breaks: `kept` is what came up to the last id.
    """

    def __init__(self, voice: Voice, text: str = "") -> None:
        self._voice, self._line, self._fields = voice, b"", {}
        self.text = self.kept = self.seen = text
        self.id = self.seen_id = ""

    def take(self, byte: int) -> None:
        if byte != ord("\n"):
            self._line += bytes([byte])
            return
        line, self._line = self._line.decode(), b""
        if line:
            self._take_line(*line.split(": ", 1))
        elif self._fields:
            self._take_event()

    def _take_line(self, field: str, value: str) -> None:
        self._fields[field] = value
        if field == "data":
            self.seen = self._voice.read(self.seen, self._fields.get("event", ""), value)
        elif field == "id":
            self.seen_id = value

    def _take_event(self) -> None:
        fields, self._fields = self._fields, {}
        if "data" in fields:
            self.text = self._voice.read(self.text, fields.get("event", ""), fields["data"])
        if "id" in fields:
            self.id, self.kept = fields["id"], self.text


def unseen(batches: list[list[feed.Frame]], seen: Place) -> list[list[feed.Frame]]:
    return [following(batch, seen.cursor(ids.NONE)) for batch in batches]


def encoded(voice: Voice, batches: list[list[feed.Frame]], seen: Place | None = None) -> bytes:
    return b"".join(event.encoded() for event in voice.tell(batches, seen or Place(RUN)))


def read(voice: Voice, stream: bytes, text: str = "") -> str:
    client = Client(voice, text)
    for byte in stream:
        client.take(byte)
    return client.text


def resumed(voice: Voice, frames: list[feed.Frame], client: Client) -> str:
    """The text of a client that lost its connection and goes on after the last event that came whole."""
    return read(voice, encoded(voice, [frames], Place.of(client.id)), client.kept)


def batched(frames: list[feed.Frame], cuts: list[int]) -> list[list[feed.Frame]]:
    """The frames as they come due together."""
    edges = sorted({0, len(frames), *(cut % (len(frames) + 1) for cut in cuts)})
    return [frames[start:end] for start, end in pairwise(edges)]


@pytest.fixture(scope="module", autouse=True)
def _long_texts():
    """Klu's events hold few characters, so that a frame is more than one of them now and then."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(klu, "_LONGEST", 5)
        yield


@pytest.mark.parametrize("voice", VOICES.values(), ids=VOICES)
@given(frames=recordings(), cuts=st.lists(st.integers(0, 99), max_size=6))
@settings(max_examples=40, deadline=None)
def test_a_stream_may_break_after_any_byte_and_is_rebuilt_exactly(voice, frames, cuts):
    assume(voice.restarts or frames[-1].attempt == 1)
    client, whole = Client(voice), text_of(frames)
    promised, held = "", None
    for byte in encoded(voice, batched(frames, cuts)):
        client.take(byte)
        if client.seen_id != promised:
            promised = client.seen_id
            assert client.seen == text_of(until(frames, promised)), "an id promises what was sent, and no more"
        if client.id != held:
            # Until the next id is whole, a break leaves the client with the same.
            held = client.id
            assert resumed(voice, frames, client) == whole
    assert client.text == whole
    assert Place.of(client.id) == Place(RUN, frames[-1].attempt, frames[-1].n), "the end has an id"
