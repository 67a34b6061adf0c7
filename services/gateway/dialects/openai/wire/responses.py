"""Responses: a run asked for with items, and told as items."""

from typing import Any

from msgspec import Struct

from services.gateway.dialects.openai.wire.items import FunctionCall, InputItem, Message, Reasoning


class Tool(Struct, frozen=True):
    """A function is described beside its name, where a chat completion has it one level below."""

    type: str
    name: str = ""
    description: str | None = None
    parameters: dict[str, Any] | None = None


class Choice(Struct, frozen=True):
    type: str
    name: str = ""


class Text(Struct, frozen=True):
    format: dict[str, Any] | None = None


class ResponseRequest(Struct, frozen=True, kw_only=True):
    """What is not here (`reasoning`, `truncation`, …) is taken and ignored, and so is what else `include` names."""

    model: str = ""
    input: str | list[InputItem] = ""
    instructions: str | None = None
    previous_response_id: str | None = None
    stream: bool | None = None
    background: bool | None = None
    store: bool | None = None
    temperature: float | None = None
    top_p: float | None = None
    max_output_tokens: int | None = None
    text: Text | None = None
    tools: list[Tool] | None = None
    tool_choice: str | Choice | None = None
    top_logprobs: int | None = None
    include: list[str] | None = None
    metadata: dict[str, Any] | None = None
    user: str | None = None
    conversation: Any = None
    prompt: Any = None


class Error(Struct, frozen=True):
    code: str
    message: str


class Incomplete(Struct, frozen=True):
    reason: str


class InputDetails(Struct, frozen=True):
    cached_tokens: int


class OutputDetails(Struct, frozen=True):
    reasoning_tokens: int


class Usage(Struct, frozen=True):
    input_tokens: int
    input_tokens_details: InputDetails
    output_tokens: int
    output_tokens_details: OutputDetails
    total_tokens: int


class Echo(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a response says of its request. It is kept with the run, for whoever asks for the response later."""

    model: str = ""
    instructions: str | None = None
    previous_response_id: str | None = None
    store: bool = True
    background: bool = False
    temperature: float | None = None
    top_p: float | None = None
    max_output_tokens: int | None = None
    tools: list[dict[str, Any]] = []
    tool_choice: str | dict[str, Any] = "auto"
    text: dict[str, Any] = {}
    top_logprobs: int | None = None


class Response(Struct, frozen=True, kw_only=True):
    id: str
    object: str = "response"
    created_at: int
    status: str
    background: bool
    completed_at: int | None
    error: Error | None
    incomplete_details: Incomplete | None
    instructions: str | None
    max_output_tokens: int | None
    model: str
    output: list[Message | Reasoning | FunctionCall]
    parallel_tool_calls: bool = True
    previous_response_id: str | None
    store: bool
    temperature: float | None
    text: dict[str, Any]
    tool_choice: str | dict[str, Any]
    tools: list[dict[str, Any]]
    top_logprobs: int | None
    top_p: float | None
    truncation: str = "disabled"
    usage: Usage | None
    user: str | None
    metadata: dict[str, Any]


class Deleted(Struct, frozen=True):
    id: str
    object: str = "response"
    deleted: bool = True
