"""OpenAI-compatible chat completions: `POST {url}/chat/completions`, always streamed, with the usage at its end.

What other servers of this protocol do differently is read as well: reasoning as `reasoning_content` or `reasoning`,
a plain JSON answer instead of a stream, no usage.
"""

from typing import Any
from uuid import uuid4

import msgspec
from msgspec import Struct

from libs.contracts import feed, runs
from libs.contracts.tools import Offered
from services.runner.providers import images, logprobs, refusals, wire
from services.runner.providers.call import Finished, ModelCall, Piece, Request


class StreamOptions(Struct, frozen=True):
    include_usage: bool = True


class Function(Struct, frozen=True):
    name: str | None = None
    arguments: str | None = None


class MadeCall(Struct, frozen=True):
    id: str
    function: Function
    type: str = "function"


class Turn(Struct, frozen=True, omit_defaults=True):
    role: str
    content: str | list[images.ImageUrl | images.Text] | None
    tool_calls: list[MadeCall] | None = None
    tool_call_id: str | None = None


class Tool(Struct, frozen=True):
    function: Offered
    type: str = "function"


class ChatRequest(Struct, frozen=True, omit_defaults=True):
    model: str
    messages: list[Turn]
    stream: bool = False
    stream_options: StreamOptions | None = None
    temperature: float | None = None
    top_p: float | None = None
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    stop: list[str] | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    seed: int | None = None
    response_format: dict[str, Any] | None = None
    logit_bias: dict[str, float] | None = None
    logprobs: bool | None = None
    top_logprobs: int | None = None
    tools: list[Tool] | None = None
    tool_choice: Any = None


class ToolCallDelta(Struct, frozen=True):
    index: int | None = None
    id: str | None = None
    function: Function | None = None


class Delta(Struct, frozen=True):
    content: str | None = None
    refusal: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    tool_calls: list[ToolCallDelta] | None = None


class Choice(Struct, frozen=True):
    delta: Delta | None = None
    message: Delta | None = None
    finish_reason: str | None = None
    logprobs: Any = None


class CompletionDetails(Struct, frozen=True):
    reasoning_tokens: int | None = None


class PromptDetails(Struct, frozen=True):
    cached_tokens: int | None = None


class ChatUsage(Struct, frozen=True):
    prompt_tokens: int = 0
    completion_tokens: int = 0
    prompt_tokens_details: PromptDetails | None = None
    completion_tokens_details: CompletionDetails | None = None


class Chunk(Struct, frozen=True):
    choices: list[Choice] | None = None
    usage: ChatUsage | None = None
    error: Any = None


_encoder = msgspec.json.Encoder()
_chunks = msgspec.json.Decoder(Chunk)
_STREAM = StreamOptions()


def request(call: ModelCall) -> Request:
    parameters, endpoint = call.parameters, call.endpoint
    own = "://api.openai.com/" in endpoint.url
    body = ChatRequest(
        endpoint.llm,
        [_turn(message) for message in call.messages],
        stream=True,
        stream_options=_STREAM,
        temperature=parameters.temperature,
        top_p=parameters.top_p,
        # OpenAI's newer models refuse `max_tokens`; most other servers know nothing else.
        max_tokens=None if own else parameters.max_tokens,
        max_completion_tokens=parameters.max_tokens if own else None,
        stop=parameters.stop or None,
        presence_penalty=parameters.presence_penalty,
        frequency_penalty=parameters.frequency_penalty,
        seed=parameters.seed,
        response_format=parameters.response_format,
        logit_bias=parameters.logit_bias,
        logprobs=None if parameters.top_logprobs is None else True,
        # None at all is said by leaving it out: a zero switches all of them off at some servers.
        top_logprobs=parameters.top_logprobs or None,
        tools=[Tool(tool) for tool in call.tools] or None,
        tool_choice=_choice(call),
    )
    headers = {"Content-Type": "application/json", "Accept": "text/event-stream"}
    if endpoint.key:
        headers["Authorization"] = f"Bearer {endpoint.key}"
    return Request(f"{endpoint.url}/chat/completions", headers, _encoder.encode(body))


def _turn(message: runs.Message) -> Turn:
    if not message.calls:
        return Turn(message.role, images.openai(message), tool_call_id=message.call_id or None)
    calls = [MadeCall(made.id, Function(made.name, made.arguments)) for made in message.calls]
    return Turn(message.role, message.content or None, calls)


def _choice(call: ModelCall) -> Any:
    """Nothing where the model may choose: that is what every server of this protocol understands."""
    if not call.tools or call.choice == "auto":
        return None
    if call.choice in ("none", "required"):
        return call.choice
    return {"type": "function", "function": {"name": call.choice}}


def reader(call: ModelCall) -> "ChatReader":
    return ChatReader(call.endpoint.speaker, call.parameters.top_logprobs)


class ChatReader:
    """The text of one network read is one piece; tool calls come once the answer is whole. `likeliest`: how many
    alternatives of each token are wanted, None where no probabilities are.
    """

    def __init__(self, provider: str, likeliest: int | None = None) -> None:
        self._provider, self._likeliest = provider, likeliest
        self._calls = PartialCalls()
        self._said: list[str] = []
        self._scored: list[feed.Scored] = []
        self._reason, self._answered = "", False
        self._usage: runs.Usage | None = None

    def read(self, payloads: list[bytes]) -> list[Piece]:
        pieces: list[Piece] = []
        for payload in payloads:
            if payload == b"[DONE]":
                self._reason = self._reason or "stop"
                continue
            chunk = wire.decoded(_chunks, payload, self._provider)
            for choice in chunk.choices or ():
                self._choice(choice, pieces)
            if chunk.usage is not None or chunk.error:
                self._aside(chunk)
        self._flush(pieces)
        return pieces

    def _aside(self, chunk: Chunk) -> None:
        if chunk.error:
            raise refusals.midway(self._provider, chunk.error)
        if chunk.usage is not None:
            self._usage = _usage(chunk.usage)

    def _choice(self, choice: Choice, pieces: list[Piece]) -> None:
        self._answered = True
        if choice.finish_reason:
            self._reason = choice.finish_reason
        delta = choice.delta or choice.message
        if delta is None:
            return
        if thought := delta.reasoning_content or delta.reasoning:
            self._flush(pieces)
            pieces.append(feed.Thinking(thought))
        if text := delta.content or delta.refusal:
            self._said.append(text)
        if delta.tool_calls:
            self._calls.add(delta.tool_calls)
        elif choice.logprobs and self._likeliest is not None:
            self._scored += logprobs.scored(choice.logprobs, self._likeliest)

    def _flush(self, pieces: list[Piece]) -> None:
        """A token without text, half a character, goes with the next that has some."""
        if self._said:
            pieces.append(feed.Token("".join(self._said), scored=self._scored or None))
            self._said.clear()
            self._scored = []

    def finish(self) -> list[Piece]:
        if not self._reason:
            raise refusals.cut_off(self._provider)
        if not self._answered:
            raise refusals.no_answer(self._provider)
        return [*self._calls.whole(), Finished(self._reason, self._usage)]


class PartialCalls:
    """Tool calls in the making: a delta belongs to the call of its index, unless it brings an id that is new.

    Some servers give no ids.
    """

    def __init__(self) -> None:
        self._calls: list[list[str]] = []
        self._at: dict[int, list[str]] = {}

    def add(self, deltas: list[ToolCallDelta]) -> None:
        for delta in deltas:
            call = self._of(delta)
            function = delta.function or Function()
            call[1] += function.name or ""
            call[2] += function.arguments or ""

    def _of(self, delta: ToolCallDelta) -> list[str]:
        index = delta.index or 0
        call = self._at.get(index)
        if call is None or (delta.id and call[0] and delta.id != call[0]):
            call = self._at[index] = ["", "", ""]
            self._calls.append(call)
        call[0] = delta.id or call[0]
        return call

    def whole(self) -> list[Piece]:
        return [
            runs.ToolCall(id or f"call_{uuid4().hex}", name, arguments or "{}") for id, name, arguments in self._calls
        ]


def _usage(usage: ChatUsage) -> runs.Usage:
    details = usage.completion_tokens_details
    reasoning = details.reasoning_tokens if details else None
    cached = usage.prompt_tokens_details.cached_tokens if usage.prompt_tokens_details else None
    return runs.Usage(usage.prompt_tokens, usage.completion_tokens, reasoning or 0, cached_tokens=cached or 0)
