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

_END = Event(b"[DONE]")

_encoder = msgspec.json.Encoder()


class Telling:
    """Tells one run, frame by frame. `text` is the answer so far.

    An event does not say which call a result is of: results are told in the order of their calls, whichever came first.
    """

    def __init__(self, run_id: UUID, text: str = "") -> None:
        self.run_id, self.text = run_id, text
        self._waiting: dict[str, runs.ToolResult | None] = {}

    def events(self, frame: runs.Frame) -> list[wire.Event]:
        """None for a frame that Klisk has no event for, or none yet."""
        match frame.body:
            case runs.Token(text):
                self.text += text
                return [wire.Token(text)]
            case runs.Thinking(text):
                return [wire.Thinking(text)]
            case runs.ToolCall() as call:
                self._waiting[call.id] = None
                return [wire.ToolCall(wire.Called(call.name, call.arguments))]
            case runs.ToolResult() as result:
                return self._results(result)
            case runs.Replaced(text):
                self.text = text
            case runs.Restarted():
                self.text = ""
            case runs.Failed(failure):
                return [failed(Fault.of(failure))]
            case runs.Done() | runs.Cancelled():
                return [wire.Done(self.text, chat.response_id(self.run_id))]
        return []

    def _results(self, result: runs.ToolResult) -> list[wire.Event]:
        """Those whose turn it is now. Of a call that was told before this began there is nothing to wait for."""
        if result.id not in self._waiting:
            return [_result(result)]
        self._waiting[result.id] = result
        told: list[wire.Event] = []
        for id, known in list(self._waiting.items()):
            if known is None:
                break
            told.append(_result(known))
            del self._waiting[id]
        return told

    def lines(self, frame: runs.Frame) -> list[Event]:
        """The same for a stream, which tells of its beginning already where it can be resumed."""
        place = str(Place(self.run_id, frame.attempt, frame.n))
        told = [line(event) for event in self.events(frame)]
        if frame.ends:
            told.append(_END)
        if not told and isinstance(frame.body, runs.Started):
            told = [Event(b"")]
        return [*told[:-1], *(Event(event.data, place) for event in told[-1:])]


def _result(result: runs.ToolResult) -> wire.ToolResult:
    return wire.ToolResult(wire.Output(_output(result)))


def _output(result: runs.ToolResult) -> str:
    return f"Tool {result.name!r} raised: {result.output}" if result.failed else result.output


def failed(fault: Fault) -> wire.Error:
    return wire.Error(problems.of(fault).message)


def line(event: wire.Event) -> Event:
    """Spelled as Python spells JSON: a blank after each comma and colon, ASCII alone."""
    return Event(json.dumps(msgspec.to_builtins(event)).encode())


def end() -> Event:
    return _END


def frame(event: wire.Event) -> str:
    """For a socket: without a blank."""
    return _encoder.encode(event).decode()
