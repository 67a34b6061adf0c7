"""A run's frames as the events of Klu's stream: BEGIN_STREAM, tokens, END_STREAM, literally and without JSON around.

A failure is told by events of types of their own, at which every SDK raises; an end follows for readers that wait for
one.
"""

from uuid import UUID

import msgspec

from libs.contracts import feed
from libs.contracts.faults import Failure, Fault
from services.gateway.dialects.klu import errors, wire
from services.gateway.http import problems
from services.gateway.http.places import Place
from services.gateway.http.sse import Event

BEGIN = Event(b"BEGIN_STREAM")
NOTHING = Event(b"No messages to stream")
_END = b"END_STREAM"
# Clients read an event as one line of limited length; JSON may need six bytes for a character.
_LONGEST = 8192

_encoder = msgspec.json.Encoder()


def of(run_id: UUID, frames: list[feed.Frame]) -> list[Event]:
    """Tokens that are due together become one event, with the id of the last of them. An answer that begins again does
    so as it began at first, and so does one that is replaced: it is the one word for it that every SDK knows.
    """
    events: list[Event] = []
    texts: list[str] = []
    for place, frame in enumerate(frames, 1):
        if isinstance(frame.body, feed.Token):
            texts.append(frame.body.text)
            if place == len(frames) or not isinstance(frames[place].body, feed.Token):
                events += _tokens("".join(texts), str(Place(run_id, frame.attempt, frame.n)))
                texts = []
        elif isinstance(frame.body, feed.Restarted):
            events.append(Event(BEGIN.data, str(Place(run_id, frame.attempt, frame.n))))
        elif isinstance(frame.body, feed.Replaced):
            events += [BEGIN, *_tokens(frame.body.text, str(Place(run_id, frame.attempt, frame.n)))]
        elif frame.ends:
            events += _end(run_id, frame)
    return events


def _tokens(text: str, id: str) -> list[Event]:
    if len(text) <= _LONGEST:
        return [Event(_encoder.encode(wire.runs.Token(text)), id)]
    pieces = [text[start : start + _LONGEST] for start in range(0, len(text), _LONGEST)]
    events = [Event(_encoder.encode(wire.runs.Token(piece))) for piece in pieces]
    return [*events[:-1], Event(events[-1].data, id)]


def _end(run_id: UUID, frame: feed.Frame) -> list[Event]:
    told = failure(frame.body.failure) if isinstance(frame.body, feed.Failed) else []
    return [*told, Event(_END, str(Place(run_id, frame.attempt, frame.n)))]


def failure(failure: Failure) -> list[Event]:
    """The JavaScript SDK raises at `FatalError` in a browser and at `error` in Node, the Python one at either."""
    body = _encoder.encode(errors.body(problems.of(Fault.of(failure))))
    return [Event(body, name="FatalError"), Event(body, name="error")]
