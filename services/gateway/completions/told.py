"""A run told as a chat completion: whole, or as the chunks of a stream. Pure."""

import msgspec

from libs.contracts import feed, runs
from libs.contracts.faults import Code, Failure, Fault
from services.gateway.completions import failing, logprobs, wire
from services.gateway.http import problems
from services.gateway.http.places import Place, placed
from services.gateway.http.sse import Event

_DONE = b"[DONE]"
_encode = msgspec.json.Encoder().encode
CANCELLED = Failure(Code.CONFLICT, "The generation was cancelled.")
REPLACED = Failure(Code.UPSTREAM, "The answer was taken back while it was streamed: ask for it without a stream.")


def completion(run: runs.Run, model: str, scored: list[feed.Scored] | None = None) -> wire.Completion:
    """`model` is what the client called it, `scored` are the answer's tokens where it wants their probabilities."""
    calls = [wire.Call(call.id, wire.Function(call.name, call.arguments)) for call in run.calls]
    answer = wire.Answer(content=run.output or (None if calls else ""), tool_calls=calls or None)
    return wire.Completion(
        id=_id(run),
        created=_created(run),
        model=model,
        choices=[
            wire.Choice(message=answer, finish_reason=run.finish_reason or "stop", logprobs=logprobs.told(scored))
        ],
        usage=_usage(run.usage),
    )


def _id(run: runs.Run) -> str:
    return f"chatcmpl-{run.id}"


def _created(run: runs.Run) -> int:
    return int(run.created_at.timestamp())


def _usage(usage: runs.Usage) -> wire.Usage:
    return wire.Usage(
        usage.prompt_tokens,
        usage.completion_tokens,
        usage.prompt_tokens + usage.completion_tokens,
        wire.PromptDetails(usage.cached_tokens) if usage.cached_tokens else None,
        wire.CompletionDetails(usage.reasoning_tokens) if usage.reasoning_tokens else None,
    )


def is_void(text: str, seen: Place, frame: feed.Frame) -> bool:
    """Whether a client has something of an attempt before this frame's."""
    return bool(text) or (seen.attempt < frame.attempt and seen.n > 0)


class Telling:
    """The chunks of one stream, made of its frames one after the other. `usage`: the client wants it at the end.

    Frames up to `seen` are taken in and not told. `place` is the last that was told whole: of the events of one frame
    only the last one carries the frame's own.
    """

    def __init__(self, run: runs.Run, model: str, *, usage: bool = False, seen: Place | None = None) -> None:
        self.run, self.model, self.usage = run, model, usage
        self.place = self._seen = seen or Place(run.id)
        self.ended = False
        self._text, self._calls = "", 0

    def begin(self) -> Event:
        [begun] = placed([self._event(wire.Delta(role="assistant", content=""))], self.place)
        return begun

    def of(self, frame: feed.Frame) -> list[Event]:
        events, place = self._of(frame), Place(self.run.id, frame.attempt, frame.n)
        if not place.follows(self._seen):
            return []
        self.place, before = place, self.place
        return placed(events, place, before=before)

    def _of(self, frame: feed.Frame) -> list[Event]:
        match frame.body:
            case feed.Token(text, None, scored):
                return self._say(text, scored)
            case runs.ToolCall(client=True) as call:
                return [self._event(wire.Delta(tool_calls=[self._call(call)]))]
            case feed.Done() as done:
                return self._end(done)
            case feed.Failed(failure):
                return self._fail(failure)
            case feed.Cancelled():
                return self._fail(CANCELLED)
            case feed.Replaced(text):
                going_on = text.startswith(self._text)
                return self._say(text[len(self._text) :]) if going_on else self._fail(REPLACED)
            case feed.Restarted() if is_void(self._text, self._seen, frame):
                return self._fail(REPLACED)
            case _:
                return []

    def _say(self, text: str, scored: list[feed.Scored] | None = None) -> list[Event]:
        self._text += text
        return [self._event(wire.Delta(content=text), scored=scored)] if text else []

    def broke_off(self, fault: Fault) -> list[Event]:
        return self._fail(fault.failure())

    def _fail(self, failure: Failure) -> list[Event]:
        """Within a stream that has begun."""
        self.ended = True
        failed = failing.body(problems.of(Fault.of(failure)))
        return [Event(_encode(failed)), Event(_DONE)]

    def _call(self, call: runs.ToolCall) -> wire.CallDelta:
        self._calls += 1
        return wire.CallDelta(call.id, wire.Function(call.name, call.arguments), index=self._calls - 1)

    def _end(self, done: feed.Done) -> list[Event]:
        self.ended = True
        told = [self._event(wire.Delta(), reason=done.finish_reason or "stop")]
        if self.usage:
            told.append(Event(_encode(self._chunk([], _usage(done.usage)))))
        return [*told, Event(_DONE)]

    def _event(self, delta: wire.Delta, *, reason: str | None = None, scored: list[feed.Scored] | None = None) -> Event:
        choice = wire.ChunkChoice(delta=delta, finish_reason=reason, logprobs=logprobs.told(scored))
        return Event(_encode(self._chunk([choice])))

    def _chunk(self, choices: list[wire.ChunkChoice], usage: wire.Usage | None = None) -> wire.Chunk:
        return wire.Chunk(id=_id(self.run), created=_created(self.run), model=self.model, choices=choices, usage=usage)
