"""A run's frames as Klisk's events, and those in the two spellings of JSON that its clients know.

`done` says the whole answer, whatever was said before it: it is what counts where an answer began again on the way.
"""

import json
from uuid import UUID

import msgspec

from libs.contracts import runs
from libs.contracts.faults import Fault
from services.gateway.dialects.klisk import wire
from services.gateway.dialects.klisk.translate import chat
from services.gateway.http import problems
from services.gateway.http.sse import Event, Place

_END = b"[DONE]"

_encoder = msgspec.json.Encoder()


class Telling:
    """Tells one run, frame by frame. `text` is the answer so far."""

    def __init__(self, run_id: UUID, text: str = "") -> None:
        self.run_id, self.text = run_id, text

    def event(self, frame: runs.Frame) -> wire.Event | None:
        """None for a frame that Klisk has no event for."""
        match frame.body:
            case runs.Token(text):
                self.text += text
                return wire.Token(text)
            case runs.Thinking(text):
                return wire.Thinking(text)
            case runs.ToolCall() as call:
                return wire.ToolCall(wire.Called(call.name, call.arguments))
            case runs.ToolResult() as result:
                return wire.ToolResult(wire.Output(_output(result)))
            case runs.Replaced(text):
                self.text = text
            case runs.Restarted():
                self.text = ""
            case runs.Failed(failure):
                return failed(Fault.of(failure))
            case runs.Done() | runs.Cancelled():
                return wire.Done(self.text, chat.response_id(self.run_id))
        return None

    def lines(self, frame: runs.Frame) -> list[Event]:
        """The same for a stream, which tells of its beginning already where it can be resumed."""
        place, event = str(Place(self.run_id, frame.attempt, frame.n)), self.event(frame)
        if frame.ends:
            assert event is not None
            return [line(event), Event(_END, place)]
        if event is None:
            return [Event(b"", place)] if isinstance(frame.body, runs.Started) else []
        return [line(event, place)]


def _output(result: runs.ToolResult) -> str:
    return f"Tool {result.name!r} raised: {result.output}" if result.failed else result.output


def failed(fault: Fault) -> wire.Error:
    return wire.Error(problems.of(fault).message)


def line(event: wire.Event, id: str = "") -> Event:
    """Spelled as Python spells JSON: a blank after each comma and colon, ASCII alone."""
    return Event(json.dumps(msgspec.to_builtins(event)).encode(), id)


def end() -> Event:
    return Event(_END)


def frame(event: wire.Event) -> str:
    """For a socket: without a blank."""
    return _encoder.encode(event).decode()
