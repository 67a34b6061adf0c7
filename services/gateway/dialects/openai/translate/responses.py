"""A response's request."""

from typing import Any
from uuid import UUID

import msgspec

from libs.contracts import ids, runs
from libs.contracts.actions import Parameters
from libs.contracts.faults import Code, Fault, not_found
from libs.contracts.runs import Message
from libs.contracts.tools import Offered
from services.gateway.completions import asked as shared
from services.gateway.dialects.openai import wire
from services.gateway.dialects.openai.translate import items
from services.gateway.dialects.openai.translate.starting import Asked
from services.gateway.dialects.openai.wire.responses import Echo
from services.gateway.http import params

_RESPONSE = "resp_"
# Under this key a run's metadata hold what its response says of its request.
ECHO = "openai"
_LOGPROBS = "message.output_text.logprobs"


def run_id(text: str, *, field: str | None = None) -> UUID:
    """Raises Fault NOT_FOUND for what is no response's id."""
    if (found := ids.parse(text)) is None:
        raise missing(params.shown(text), field=field)
    return found


def missing(id: object, *, field: str | None = None) -> Fault:
    fault = not_found("response", id)
    return Fault(fault.code, fault.message, field=field)


def response_id(run_id: UUID) -> str:
    return f"{_RESPONSE}{run_id}"


def asked(body: wire.responses.ResponseRequest, previous: runs.Run | None) -> Asked:
    """Goes on from `previous`, where results are given of calls that it made. Raises Fault INVALID."""
    _refuse(body)
    turns, rendered = items.turns(body.input), False
    if previous is not None and items.unasked(turns):
        turns, rendered = [*_left_at(previous), *turns], turns[-1].role == "tool"
    if not turns:
        raise Fault(Code.INVALID, "Give an input.", field="input")
    if body.instructions:
        turns = [Message("system", body.instructions), *turns]
    return Asked(
        turns=turns,
        mode=_mode(body),
        parameters=_parameters(body),
        tools=_tools(body),
        tool_choice=body.tool_choice.name if isinstance(body.tool_choice, wire.responses.Choice) else body.tool_choice,
        metadata=(body.metadata or {}) | {ECHO: msgspec.to_builtins(echo(body))},
        end_user=body.user or "",
        rendered=rendered,
        durable=bool(body.background),
    )


def _left_at(run: runs.Run) -> list[Message]:
    """What was asked last, and the calls that the answer to it waits for. Images are not kept."""
    at = max((place for place, turn in enumerate(run.prompt) if turn.role == "user"), default=0)
    asked = [msgspec.structs.replace(turn, images=[]) for turn in run.prompt[at:]]
    return [*asked, Message("assistant", run.output, run.calls)]


def _mode(body: wire.responses.ResponseRequest) -> runs.Mode:
    if body.stream:
        return runs.Mode.STREAMING
    return runs.Mode.ASYNC if body.background else runs.Mode.BLOCKING


def _parameters(body: wire.responses.ResponseRequest) -> Parameters:
    return Parameters(
        temperature=body.temperature,
        top_p=body.top_p,
        max_tokens=body.max_output_tokens,
        response_format=_format(body.text.format if body.text else None),
        top_logprobs=_likeliest(body),
    )


def _likeliest(body: wire.responses.ResponseRequest) -> int | None:
    if _LOGPROBS in (body.include or ()) or body.top_logprobs:
        return shared.likeliest(body.top_logprobs or 0)
    return None


def _format(format: dict[str, Any] | None) -> dict[str, Any] | None:
    """A schema stands beside its type here, and one level below in a chat completion."""
    if format is None or format.get("type") != "json_schema":
        return format
    return {"type": "json_schema", "json_schema": {name: format[name] for name in format if name != "type"}}


def _tools(body: wire.responses.ResponseRequest) -> list[Offered]:
    for place, tool in enumerate(body.tools or []):
        if tool.type != "function" or not tool.name:
            message = f"Tools are functions with a name here, and no {params.shown(tool.type)!r}."
            raise Fault(Code.INVALID, message, field=f"tools[{place}].type")
    return [Offered(tool.name, tool.description or "", tool.parameters or {}) for tool in body.tools or []]


def _refuse(body: wire.responses.ResponseRequest) -> None:
    """Raises Fault INVALID for what would be left out in silence."""
    if body.conversation is not None:
        raise Fault(Code.INVALID, "Go on with previous_response_id.", field="conversation")
    if body.prompt is not None:
        raise Fault(Code.INVALID, "A prompt that is kept is an action: name it as the model.", field="prompt")
    if isinstance(body.tool_choice, wire.responses.Choice) and body.tool_choice.type != "function":
        raise Fault(Code.INVALID, "A choice of a tool names a function.", field="tool_choice.type")
    if body.background and body.store is False:
        raise Fault(Code.INVALID, "What is made in the background must be stored to be asked for.", field="store")


def echo(body: wire.responses.ResponseRequest) -> Echo:
    return Echo(
        model=body.model,
        instructions=body.instructions,
        previous_response_id=body.previous_response_id,
        store=body.store is not False,
        background=bool(body.background),
        temperature=body.temperature,
        top_p=body.top_p,
        max_output_tokens=body.max_output_tokens,
        tools=[{"strict": None} | msgspec.to_builtins(tool) for tool in body.tools or []],
        tool_choice=msgspec.to_builtins(body.tool_choice) or "auto",
        text={"format": (body.text and body.text.format) or {"type": "text"}},
        top_logprobs=_likeliest(body),
    )


def echoed(run: runs.Run) -> Echo:
    """What another voice's run was asked is told as far as it is known."""
    try:
        return msgspec.convert(run.metadata.get(ECHO) or {}, Echo)
    except msgspec.ValidationError:
        return Echo()


def refuse_unstored(run: runs.Run, *, field: str | None = None) -> None:
    """Raises Fault NOT_FOUND where the response's request said that it is not to be stored."""
    if not echoed(run).store:
        raise missing(response_id(run.id), field=field)
