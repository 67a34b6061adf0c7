"""OpenAI's chat completions as Structs: requests as its clients send them, answers as they parse them."""

from typing import Any, Literal

from msgspec import Struct

Role = Literal["system", "developer", "user", "assistant", "tool"]


class ImageUrl(Struct, frozen=True):
    url: str


class Part(Struct, frozen=True, omit_defaults=True):
    """A piece of a message's content: `text`, or an `image_url`. Others are refused."""

    type: str
    text: str = ""
    image_url: ImageUrl | None = None


class Function(Struct, frozen=True):
    name: str
    arguments: str = ""


class Call(Struct, frozen=True):
    id: str
    function: Function
    type: Literal["function"] = "function"


class CallDelta(Call, frozen=True, kw_only=True):
    index: int


class Message(Struct, frozen=True, omit_defaults=True):
    role: Role
    content: str | list[Part] | None = None
    tool_calls: list[Call] | None = None
    tool_call_id: str | None = None


class FunctionTool(Struct, frozen=True, omit_defaults=True):
    name: str
    description: str | None = None
    parameters: dict[str, Any] | None = None


class Tool(Struct, frozen=True):
    function: FunctionTool
    type: Literal["function"] = "function"


class NamedTool(Struct, frozen=True):
    function: Function
    type: Literal["function"] = "function"


class StreamOptions(Struct, frozen=True):
    include_usage: bool = False


class ChatRequest(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is not here (`store`, `service_tier`, `reasoning_effort`, …) is taken and ignored. `n`, `modalities` and
    `functions` are here to be refused where they ask for what no answer would have.
    """

    messages: list[Message]
    model: str = ""
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    temperature: float | None = None
    top_p: float | None = None
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    stop: str | list[str] | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    seed: int | None = None
    response_format: dict[str, Any] | None = None
    logit_bias: dict[str, float] | None = None
    logprobs: bool | None = None
    top_logprobs: int | None = None
    tools: list[Tool] | None = None
    tool_choice: str | NamedTool | None = None
    n: int | None = None
    modalities: list[str] | None = None
    functions: list[Any] | None = None


class PromptDetails(Struct, frozen=True):
    cached_tokens: int


class CompletionDetails(Struct, frozen=True):
    reasoning_tokens: int


class Usage(Struct, frozen=True, omit_defaults=True):
    """The details stand where there is something to tell."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    prompt_tokens_details: PromptDetails | None = None
    completion_tokens_details: CompletionDetails | None = None


class Answer(Struct, frozen=True, kw_only=True):
    role: str = "assistant"
    content: str | None
    tool_calls: list[Call] | None = None
    refusal: str | None = None


class Alternative(Struct, frozen=True):
    token: str
    logprob: float
    bytes: list[int] | None


class TokenLogprob(Alternative, frozen=True):
    top_logprobs: list[Alternative]


class Logprobs(Struct, frozen=True):
    content: list[TokenLogprob]
    refusal: None = None


class Choice(Struct, frozen=True, kw_only=True):
    index: int = 0
    message: Answer
    finish_reason: str
    logprobs: Logprobs | None = None


class Completion(Struct, frozen=True, kw_only=True):
    id: str
    object: str = "chat.completion"
    created: int
    model: str
    choices: list[Choice]
    usage: Usage


class Delta(Struct, frozen=True, kw_only=True, omit_defaults=True):
    role: str | None = None
    content: str | None = None
    tool_calls: list[CallDelta] | None = None


class ChunkChoice(Struct, frozen=True, kw_only=True):
    index: int = 0
    delta: Delta
    finish_reason: str | None = None
    logprobs: Logprobs | None = None


class Chunk(Struct, frozen=True, kw_only=True):
    id: str
    object: str = "chat.completion.chunk"
    created: int
    model: str
    choices: list[ChunkChoice]
    usage: Usage | None = None


class Error(Struct, frozen=True):
    message: str
    type: str
    param: str | None
    code: str


class Failure(Struct, frozen=True):
    error: Error
