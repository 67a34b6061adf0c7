"""The items of a response: what goes in, and what comes out."""

from typing import Any, Literal

from msgspec import Struct

from services.gateway.completions.wire import Role, TokenLogprob

Status = Literal["in_progress", "completed", "incomplete"]


class InputPart(Struct, frozen=True):
    type: str
    text: str = ""
    image_url: str | None = None


class InputItem(Struct, frozen=True):
    """A message, a function's call or what it came to. Without a `type` it is a message."""

    type: str | None = None
    role: Role | None = None
    content: str | list[InputPart] | None = None
    call_id: str | None = None
    name: str | None = None
    arguments: str | None = None
    output: str | list[InputPart] | None = None


class OutputText(Struct, frozen=True):
    text: str
    type: str = "output_text"
    annotations: list[Any] = []
    logprobs: list[TokenLogprob] = []


class Message(Struct, frozen=True, kw_only=True):
    id: str
    type: str = "message"
    status: Status
    role: str = "assistant"
    content: list[OutputText]


class ReasoningText(Struct, frozen=True):
    text: str
    type: str = "reasoning_text"


class Reasoning(Struct, frozen=True, kw_only=True):
    id: str
    type: str = "reasoning"
    status: Status
    summary: list[Any] = []
    content: list[ReasoningText]


class FunctionCall(Struct, frozen=True, kw_only=True):
    id: str
    type: str = "function_call"
    status: Status
    call_id: str
    name: str
    arguments: str


Item = Message | Reasoning | FunctionCall
Part = OutputText | ReasoningText
