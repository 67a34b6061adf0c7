"""A run's frames as the events of a streamed reply.

`done` holds the whole reply, whatever was said before it: it is what counts where an answer began again on the way.
"""

import msgspec
from msgspec import structs

from libs.contracts import feed, runs
from libs.contracts.faults import Code, Fault
from services.gateway.dialects.klairo import errors, wire
from services.gateway.dialects.klairo.translate import chat
from services.gateway.http import problems
from services.gateway.http.places import Place, placed
from services.gateway.http.sse import Event

_END = Event(b"[DONE]")

_encode = msgspec.json.Encoder().encode


class Telling:
    """Tells one run from its first frame on. Frames up to `seen` are taken in and not told."""

    def __init__(self, run: runs.Run, *, seen: Place | None = None) -> None:
        self._run = structs.replace(run, output="", finished_at=None)
        self._seen = seen or Place(run.id)
        self.ended = False

    def of(self, frame: feed.Frame) -> list[Event]:
        """Of the events of one frame only the last one carries the frame's place."""
        told, place = self._of(frame), Place(self._run.id, frame.attempt, frame.n)
        if not place.follows(self._seen):
            return []
        return placed(told, place)

    def _of(self, frame: feed.Frame) -> list[Event]:
        match frame.body:
            case feed.Started():
                return [Event(b"")]
            case feed.Token(text):
                self._say(self._run.output + text)
                return [_written(wire.chat.Token(text))]
            case feed.Replaced(text):
                self._say(text)
            case feed.Restarted():
                self._say("")
            case feed.Done(usage=usage):
                return self._end(chat.done(structs.replace(self._run, usage=usage)))
            case feed.Failed(failure):
                return self.broke_off(Fault.of(failure))
            case feed.Cancelled():
                return self.broke_off(Fault(Code.CONFLICT, "The reply was cancelled."))
        return []

    def broke_off(self, fault: Fault) -> list[Event]:
        return self._end(wire.chat.Failed(errors.told(problems.of(fault))))

    def _say(self, text: str) -> None:
        self._run = structs.replace(self._run, output=text)

    def _end(self, event: wire.chat.Event) -> list[Event]:
        self.ended = True
        return [_written(event), _END]


def _written(event: wire.chat.Event) -> Event:
    return Event(_encode(event))
