"""A run's frames as Klisk's events, and those in the two spellings of JSON that its clients know.

`done` says the whole answer, whatever was said before it: it is what counts where an answer began again on the way.
"""

import json
from uuid import UUID

import msgspec

from libs.contracts import feed, runs
from libs.contracts.faults import Fault
from services.gateway.dialects.klisk import wire
from services.gateway.dialects.klisk.translate import chat
from services.gateway.http import problems
from services.gateway.http.places import Place, placed
from services.gateway.http.sse import Event

_END = Event(b"[DONE]")
_UNANSWERED = "the run did not wait for its answer"

_encoder = msgspec.json.Encoder()


class Telling:
    """Tells one run, frame by frame. `text` is the answer so far.

    An event does not say which call a result is of: each call has one, told in the order of the calls, whichever came
    first, and whatever becomes of the run.
    """

    def __init__(self, run_id: UUID, text: str = "") -> None:
        self.run_id, self.text = run_id, text
        self._waiting: dict[str, runs.ToolCall | feed.ToolResult] = {}

    def events(self, frame: feed.Frame) -> list[wire.Event]:
        """None of a frame that Klisk has no event for, or none yet."""
        match frame.body:
            case feed.Token(text, None):
                self.text += text
                return [wire.Token(text)]
            case feed.Thinking(text):
                return [wire.Thinking(text)]
            case runs.ToolCall() as call:
                if not call.client:
                    self._waiting[call.id] = call
                return [wire.ToolCall(wire.Called(call.name, call.arguments))]
            case feed.ToolResult() as result:
                return self._results(result)
            case feed.Replaced(text):
                self.text = text
            case feed.Restarted():
                self.text = ""
                return self._given_up()
            case feed.Failed(failure):
                return [*self._given_up(), failed(Fault.of(failure))]
            case feed.Done() | feed.Cancelled():
                return [*self._given_up(), wire.Done(self.text, chat.response_id(self.run_id))]
        return []

    def _results(self, result: feed.ToolResult) -> list[wire.Event]:
        """Those whose turn it is now. Of a call that was told before this began there is nothing to wait for."""
        if result.id not in self._waiting:
            return [_result(result)]
        self._waiting[result.id] = result
        told: list[wire.Event] = []
        for id, known in list(self._waiting.items()):
            if isinstance(known, runs.ToolCall):
                break
            told.append(_result(known))
            del self._waiting[id]
        return told

    def _given_up(self) -> list[wire.Event]:
        """The results of those calls that are still to have one."""
        waiting, self._waiting = self._waiting, {}
        return [
            _result(_unanswered(known) if isinstance(known, runs.ToolCall) else known) for known in waiting.values()
        ]

    def lines(self, frame: feed.Frame) -> list[Event]:
        """The same for a stream, which tells of its beginning already where it can be resumed."""
        told = [line(event) for event in self.events(frame)]
        if frame.ends:
            told.append(_END)
        if not told and isinstance(frame.body, feed.Started):
            told = [Event(b"")]
        return placed(told, Place(self.run_id, frame.attempt, frame.n))


def _unanswered(call: runs.ToolCall) -> feed.ToolResult:
    return feed.ToolResult(call.id, call.name, f"Tool {call.name!r} raised: {_UNANSWERED}", failed=True)


def _result(result: feed.ToolResult) -> wire.ToolResult:
    return wire.ToolResult(wire.Output(result.output))


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
