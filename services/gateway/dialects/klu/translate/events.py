"""A run's frames as the events of Klu's stream: BEGIN_STREAM, tokens, END_STREAM, literally and without JSON around.

A failure is told by events of types of their own, at which every SDK raises; an end follows for readers that wait for
one.
"""

from itertools import groupby
from uuid import UUID

import msgspec

from libs.contracts import runs
from libs.contracts.faults import Failure, Fault
from services.gateway.dialects.klu import errors, wire
from services.gateway.http import problems
from services.gateway.http.sse import Event, Place

BEGIN = Event(b"BEGIN_STREAM")
NOTHING = Event(b"No messages to stream")
_END = b"END_STREAM"
# Clients read an event as one line of limited length; JSON may need six bytes for a character.
_LONGEST = 8192

_encoder = msgspec.json.Encoder()


def of(run_id: UUID, frames: list[runs.Frame]) -> list[Event]:
    """Tokens that are due together become one event, with the id of the last of them."""
    events: list[Event] = []
    for is_text, group in groupby(frames, lambda frame: isinstance(frame.body, runs.Token)):
        render = _tokens if is_text else _others
        events.extend(render(run_id, list(group)))
    return events


def _tokens(run_id: UUID, frames: list[runs.Frame]) -> list[Event]:
    text = "".join(frame.body.text for frame in frames if isinstance(frame.body, runs.Token))
    pieces = [text[start : start + _LONGEST] for start in range(0, len(text), _LONGEST)]
    last = _id(run_id, frames[-1])
    return [
        Event(_encoder.encode(wire.runs.Token(piece)), id=last if place == len(pieces) else "")
        for place, piece in enumerate(pieces, 1)
    ]


def _others(run_id: UUID, frames: list[runs.Frame]) -> list[Event]:
    events: list[Event] = []
    for frame in frames:
        if isinstance(frame.body, runs.Failed):
            events.extend(failure(frame.body.failure))
        if frame.ends:
            events.append(Event(_END, id=_id(run_id, frame)))
    return events


def failure(failure: Failure) -> list[Event]:
    """The JavaScript SDK raises at `FatalError` in a browser and at `error` in Node, the Python one at either."""
    body = _encoder.encode(errors.body(problems.of(Fault.of(failure))))
    return [Event(body, name="FatalError"), Event(body, name="error")]


def _id(run_id: UUID, frame: runs.Frame) -> str:
    return str(Place(run_id, frame.attempt, frame.n))
