"""A run's frames as the events of a response, in OpenAI's order: each item is added, said piece by piece, and done."""

from collections.abc import Iterator

import msgspec
from msgspec import Struct, structs

from libs.contracts import feed, runs
from libs.contracts.faults import Failure, Fault
from libs.contracts.feed import Scored
from libs.contracts.runs import Status
from services.gateway.completions import logprobs
from services.gateway.completions.told import REPLACED, is_void
from services.gateway.dialects.openai import wire
from services.gateway.dialects.openai.translate import replies
from services.gateway.dialects.openai.translate.replies import Kind
from services.gateway.dialects.openai.wire.items import Item, Part
from services.gateway.dialects.openai.wire.items import Status as Told
from services.gateway.http.places import Place, placed
from services.gateway.http.sse import Event

_encode = msgspec.json.Encoder().encode


class _Open(Struct):
    """The item that is being said."""

    kind: Kind
    id: str
    place: int
    text: str = ""
    scored: list[Scored] = []

    def part(self) -> Part:
        return replies.part(self.kind, self.text, self.scored)

    def item(self, status: Told) -> Item:
        return replies.item(self.part(), self.id, status)


class Telling:
    """Tells one run, frame by frame. Frames up to `seen` are taken in and not told, and neither are events up to the
    number `past`.
    """

    def __init__(self, run: runs.Run, *, seen: Place | None = None, past: int = -1) -> None:
        self.run = structs.replace(run, status=Status.RUNNING, finished_at=None, failure=None)
        self.ended = False
        self._place = self._seen = seen or Place(run.id)
        self._past, self._number = past, 0
        self._items: list[Item] = []
        self._open: _Open | None = None
        self._said = ""

    def of(self, frame: feed.Frame) -> list[Event]:
        events, place = list(self._of(frame)), Place(self.run.id, frame.attempt, frame.n)
        if not place.follows(self._seen):
            return []
        self._place, before = place, self._place
        told = zip(events, placed([_written(event) for event in events], place, before=before), strict=True)
        return [written for event, written in told if event.sequence_number > self._past]

    def broke_off(self, fault: Fault) -> list[Event]:
        return placed([_written(replies.broke_off(fault, self._next()))], self._place)

    def _of(self, frame: feed.Frame) -> Iterator[wire.events.Event]:
        match frame.body:
            case feed.Started():
                yield from self._begin()
            case feed.Thinking(text):
                yield from self._say("reasoning_text", text)
            case feed.Token(text, None, scored):
                self._said += text
                yield from self._say("output_text", text, scored)
            case runs.ToolCall(client=True) as call:
                yield from self._call(call)
            case feed.Replaced(text) if text.startswith(self._said):
                rest, self._said = text[len(self._said) :], text
                yield from self._say("output_text", rest)
            case feed.Restarted() if not is_void(self._said, self._seen, frame):
                pass
            case feed.Replaced() | feed.Restarted():
                yield from self._end(Status.FAILED, failure=REPLACED)
            case body if frame.ends:
                yield from self._end_with(body)

    def _begin(self) -> Iterator[wire.events.Event]:
        """Once, whatever begins again before anything was said."""
        if not self._number:
            yield self._response("created")
            yield self._response("in_progress")

    def _say(self, kind: Kind, text: str, scored: list[Scored] | None = None) -> Iterator[wire.events.Event]:
        if not text:
            return
        if self._open is None or self._open.kind != kind:
            yield from self._close("completed")
            yield from self._add(kind)
        saying = self._open
        assert saying is not None
        saying.text += text
        saying.scored += scored or []
        told = logprobs.tokens(scored or [])
        yield wire.events.Delta(f"response.{kind}.delta", self._next(), saying.id, saying.place, text, logprobs=told)

    def _add(self, kind: Kind) -> Iterator[wire.events.Event]:
        place = len(self._items)
        begun = self._open = _Open(kind, replies.item_id(self.run, kind, place), place)
        yield self._of_item("added", begun.item("in_progress"), place)
        yield wire.events.OfPart("response.content_part.added", self._next(), begun.id, place, begun.part())

    def _close(self, status: Told) -> Iterator[wire.events.Event]:
        if (said := self._open) is None:
            return
        self._open, item = None, said.item(status)
        self._items.append(item)
        told, done = logprobs.tokens(said.scored), f"response.{said.kind}.done"
        yield wire.events.TextDone(done, self._next(), said.id, said.place, said.text, logprobs=told)
        yield wire.events.OfPart("response.content_part.done", self._next(), said.id, said.place, said.part())
        yield self._of_item("done", item, said.place)

    def _call(self, call: runs.ToolCall) -> Iterator[wire.events.Event]:
        """A call comes whole."""
        yield from self._close("completed")
        place, done = len(self._items), replies.call(call, "completed")
        self._items.append(done)
        yield self._of_item("added", replies.call(call, "in_progress"), place)
        event = "response.function_call_arguments"
        yield wire.events.ArgumentsDelta(f"{event}.delta", self._next(), done.id, place, done.arguments)
        yield wire.events.ArgumentsDone(f"{event}.done", self._next(), done.id, place, done.name, done.arguments)
        yield self._of_item("done", done, place)

    def _end_with(self, body: feed.Body) -> Iterator[wire.events.Event]:
        match body:
            case feed.Done() as done:
                yield from self._end(Status.SUCCEEDED, done.usage, reason=done.finish_reason)
            case feed.Cancelled(usage):
                yield from self._end(Status.CANCELLED, usage)
            case feed.Failed(failure):
                yield from self._end(Status.FAILED, failure=failure)

    def _end(
        self, status: Status, usage: runs.Usage | None = None, *, reason: str = "", failure: Failure | None = None
    ) -> Iterator[wire.events.Event]:
        self.ended, usage = True, usage or runs.Usage()
        self.run = structs.replace(self.run, status=status, usage=usage, finish_reason=reason, failure=failure)
        whole = status is Status.SUCCEEDED and not replies.incomplete(self.run)
        yield from self._close("completed" if whole else "incomplete")
        yield self._response("failed" if failure else "completed" if whole else "incomplete")

    def _response(self, type: str) -> wire.events.OfResponse:
        response = replies.response(self.run, list(self._items))
        return wire.events.OfResponse(f"response.{type}", self._next(), response)

    def _of_item(self, type: str, item: Item, place: int) -> wire.events.OfItem:
        return wire.events.OfItem(f"response.output_item.{type}", self._next(), place, item)

    def _next(self) -> int:
        self._number += 1
        return self._number - 1


def _written(event: wire.events.Event) -> Event:
    return Event(_encode(event), name=event.type)
