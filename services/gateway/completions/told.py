"""A run told as a chat completion: whole, or as the chunks of a stream. Pure."""

from collections.abc import Iterator

import msgspec
from msgspec import Struct

from libs.contracts import runs
from libs.contracts.faults import Code, Failure, Fault
from services.gateway.completions import wire
from services.gateway.http import problems
from services.gateway.http.sse import Event, Place

DONE = Event(b"[DONE]")
_encode = msgspec.json.Encoder().encode
_CANCELLED = Failure(Code.CONFLICT, "The generation was cancelled.")
_REPLACED = Failure(Code.UPSTREAM, "The answer was taken back while it was streamed: ask for it without a stream.")


def completion(run: runs.Run, model: str) -> wire.Completion:
    """`model` is what the client called it."""
    calls = [wire.Call(call.id, wire.Function(call.name, call.arguments)) for call in run.calls]
    answer = wire.Answer(content=run.output or (None if calls else ""), tool_calls=calls or None)
    return wire.Completion(
        id=_id(run),
        created=_created(run),
        model=model,
        choices=[wire.Choice(message=answer, finish_reason=run.finish_reason or "stop")],
        usage=_usage(run.usage),
    )


def _id(run: runs.Run) -> str:
    return f"chatcmpl-{run.id}"


def _created(run: runs.Run) -> int:
    return int(run.created_at.timestamp())


def _usage(usage: runs.Usage) -> wire.Usage:
    total = usage.prompt_tokens + usage.completion_tokens
    return wire.Usage(usage.prompt_tokens, usage.completion_tokens, total)


class Telling(Struct):
    """The chunks of one stream, made of its frames one after the other. `usage`: the client wants it at the end."""

    run: runs.Run
    model: str
    usage: bool = False
    calls: int = 0
    ended: bool = False

    def begin(self) -> Event:
        return self._event(wire.Delta(role="assistant", content=""))

    def of(self, frame: runs.Frame) -> list[Event]:
        place = str(Place(self.run.id, frame.attempt, frame.n))
        match frame.body:
            case runs.Token(text, None):
                return [self._event(wire.Delta(content=text), id=place)]
            case runs.ToolCall(client=True) as call:
                return [self._event(wire.Delta(tool_calls=[self._call(call)]), id=place)]
            case runs.Done() as done:
                self.ended = True
                return [*self._end(done), DONE]
            case runs.Failed(failure):
                return self._fail(failure)
            case runs.Cancelled():
                return self._fail(_CANCELLED)
            case runs.Replaced() | runs.Restarted():
                return self._fail(_REPLACED)
            case _:
                return []

    def _fail(self, failure: Failure) -> list[Event]:
        self.ended = True
        return failed(failure)

    def _call(self, call: runs.ToolCall) -> wire.CallDelta:
        self.calls += 1
        return wire.CallDelta(call.id, wire.Function(call.name, call.arguments), index=self.calls - 1)

    def _end(self, done: runs.Done) -> Iterator[Event]:
        yield self._event(wire.Delta(), reason=done.finish_reason or "stop")
        if self.usage:
            yield Event(_encode(self._chunk([], _usage(done.usage))))

    def _event(self, delta: wire.Delta, *, id: str = "", reason: str | None = None) -> Event:
        return Event(_encode(self._chunk([wire.ChunkChoice(delta=delta, finish_reason=reason)])), id)

    def _chunk(self, choices: list[wire.ChunkChoice], usage: wire.Usage | None = None) -> wire.Chunk:
        return wire.Chunk(id=_id(self.run), created=_created(self.run), model=self.model, choices=choices, usage=usage)


def failed(failure: Failure) -> list[Event]:
    """Within a stream that has begun."""
    problem = problems.of(Fault.of(failure))
    error = wire.Error(
        problem.message, "invalid_request_error" if problem.status < 500 else "server_error", problem.code
    )
    return [Event(_encode(wire.Failure(error))), DONE]
