"""A run, told as a response."""

from typing import Literal

from libs.contracts import feed, ids, runs
from libs.contracts.faults import Code, Failure, Fault
from libs.contracts.runs import Status
from services.gateway.completions import failing, logprobs
from services.gateway.dialects.openai import wire
from services.gateway.dialects.openai.translate import responses
from services.gateway.dialects.openai.wire.items import (
    FunctionCall,
    Item,
    Message,
    OutputText,
    Part,
    Reasoning,
    ReasoningText,
)
from services.gateway.dialects.openai.wire.items import Status as Told
from services.gateway.dialects.openai.wire.responses import Echo, Response
from services.gateway.http import problems

Kind = Literal["output_text", "reasoning_text"]

_PREFIXES: dict[Kind, str] = {"output_text": "msg", "reasoning_text": "rs"}
_STATUS = {
    Status.QUEUED: "queued",
    Status.RUNNING: "in_progress",
    Status.SUCCEEDED: "completed",
    Status.FAILED: "failed",
    Status.CANCELLED: "cancelled",
}
# The reasons for which an answer ends before it is whole.
_INCOMPLETE = {"length": "max_output_tokens", "content_filter": "content_filter"}
_FAILED = {Code.RATE_LIMITED: "rate_limit_exceeded", Code.INVALID: "invalid_prompt"}


def reply(run: runs.Run, scored: list[feed.Scored] | None = None) -> Response:
    """`scored` are the answer's tokens, where its request wants their probabilities."""
    return response(run, output(run, scored))


def response(run: runs.Run, items: list[Item]) -> Response:
    """`items` are its output so far."""
    echo, reason = responses.echoed(run), incomplete(run)
    return Response(
        id=responses.response_id(run.id),
        created_at=int(run.created_at.timestamp()),
        status="incomplete" if reason else _STATUS[run.status],
        background=echo.background,
        completed_at=int(run.finished_at.timestamp()) if run.finished_at else None,
        error=error(run.failure) if run.failure else None,
        incomplete_details=wire.responses.Incomplete(reason) if reason else None,
        instructions=echo.instructions,
        max_output_tokens=echo.max_output_tokens,
        model=_model(run, echo),
        output=items,
        previous_response_id=echo.previous_response_id,
        store=echo.store,
        temperature=echo.temperature,
        text=echo.text or {"format": {"type": "text"}},
        tool_choice=echo.tool_choice,
        tools=echo.tools,
        top_logprobs=echo.top_logprobs,
        top_p=echo.top_p,
        usage=_usage(run.usage) if run.status in runs.ENDED else None,
        user=run.end_user or None,
        metadata={key: value for key, value in run.metadata.items() if key != responses.ECHO},
    )


def incomplete(run: runs.Run) -> str | None:
    return _INCOMPLETE.get(run.finish_reason) if run.status is Status.SUCCEEDED else None


def _model(run: runs.Run, echo: Echo) -> str:
    if echo.model:
        return echo.model
    return str(run.action_id) if run.action_id != ids.NONE else f"{run.provider}/{run.model}"


def error(failure: Failure) -> wire.responses.Error:
    fault = Fault.of(failure)
    return wire.responses.Error(_FAILED.get(fault.code, "server_error"), problems.of(fault).message)


def broke_off(fault: Fault, number: int) -> wire.events.Error:
    """Within a stream, of a run that nothing more is known of."""
    problem = problems.of(fault)
    return wire.events.Error("error", number, failing.code(problem), problem.message, problem.field)


def _usage(usage: runs.Usage) -> wire.responses.Usage:
    return wire.responses.Usage(
        usage.prompt_tokens,
        wire.responses.InputDetails(usage.cached_tokens),
        usage.completion_tokens,
        wire.responses.OutputDetails(usage.reasoning_tokens),
        usage.prompt_tokens + usage.completion_tokens,
    )


def output(run: runs.Run, scored: list[feed.Scored] | None = None) -> list[Item]:
    """Told at once, thoughts are one item, and so is the answer."""
    status: Told = "completed" if run.status is Status.SUCCEEDED and not incomplete(run) else "incomplete"
    spoken: list[tuple[Kind, str]] = [("reasoning_text", run.thinking), ("output_text", run.output)]
    told: list[Item] = []
    for kind, text in spoken:
        if text:
            told.append(item(part(kind, text, scored or []), item_id(run, kind, len(told)), status))
    return [*told, *(call(made, "completed") for made in run.calls)]


def item_id(run: runs.Run, kind: Kind, place: int) -> str:
    return f"{_PREFIXES[kind]}_{run.id}_{place}"


def item(part: Part, id: str, status: Told) -> Message | Reasoning:
    """One that has just begun holds nothing yet."""
    begun = status == "in_progress"
    if isinstance(part, OutputText):
        return Message(id=id, status=status, content=[] if begun else [part])
    return Reasoning(id=id, status=status, content=[] if begun else [part])


def part(kind: Kind, text: str, scored: list[feed.Scored]) -> Part:
    return OutputText(text, logprobs=logprobs.tokens(scored)) if kind == "output_text" else ReasoningText(text)


def call(made: runs.ToolCall, status: Told) -> FunctionCall:
    arguments = made.arguments if status == "completed" else ""
    return FunctionCall(id=f"fc_{made.id}", status=status, call_id=made.id, name=made.name, arguments=arguments)
