"""Anthropic messages: `POST {url}/v1/messages`, always streamed.

Parameters without a counterpart (penalties, seed, logit bias, response format) are left out.
"""

from typing import Literal

import msgspec
from msgspec import Struct

from libs.contracts import runs
from services.runner.providers import refusals, wire
from services.runner.providers.call import Finished, ModelCall, Piece, Request

VERSION = "2023-06-01"
# The protocol demands a bound; an action without one gets what every model of the family can give.
MAX_TOKENS = 4096

_REASONS = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "pause_turn": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}


class Turn(Struct, frozen=True):
    role: Literal["user", "assistant"]
    content: str


class MessagesRequest(Struct, frozen=True, omit_defaults=True):
    model: str
    messages: list[Turn]
    max_tokens: int
    stream: bool = False
    system: str = ""
    temperature: float | None = None
    top_p: float | None = None
    stop_sequences: list[str] | None = None


class Block(Struct, frozen=True):
    type: str = ""
    id: str = ""
    name: str = ""
    text: str = ""
    thinking: str = ""
    input: msgspec.Raw = msgspec.Raw()


class BlockDelta(Struct, frozen=True):
    text: str = ""
    thinking: str = ""
    partial_json: str = ""
    stop_reason: str | None = None


class MessageUsage(Struct, frozen=True):
    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_creation_input_tokens: int | None = None
    cache_read_input_tokens: int | None = None


class Head(Struct, frozen=True):
    usage: MessageUsage | None = None


class StreamEvent(Struct, frozen=True):
    type: str
    index: int = 0
    message: Head | None = None
    content_block: Block | None = None
    delta: BlockDelta | None = None
    usage: MessageUsage | None = None
    error: dict[str, object] | None = None


_encoder = msgspec.json.Encoder()
_events = msgspec.json.Decoder(StreamEvent)
_decode = _events.decode


def request(call: ModelCall) -> Request:
    parameters, endpoint = call.parameters, call.endpoint
    body = MessagesRequest(
        endpoint.llm,
        _turns(call.messages),
        parameters.max_tokens or MAX_TOKENS,
        stream=True,
        system="\n\n".join(message.content for message in call.messages if message.role == "system"),
        temperature=parameters.temperature,
        top_p=parameters.top_p,
        stop_sequences=parameters.stop or None,
    )
    headers = {"Content-Type": "application/json", "Accept": "text/event-stream", "anthropic-version": VERSION}
    if endpoint.key:
        headers["x-api-key"] = endpoint.key
    return Request(f"{endpoint.url}/v1/messages", headers, _encoder.encode(body))


def _turns(messages: list[runs.Message]) -> list[Turn]:
    """Every turn but the system's. The protocol knows no tool role and refuses empty turns."""
    return [
        Turn("assistant" if message.role == "assistant" else "user", message.content)
        for message in messages
        if message.role != "system" and message.content
    ]


def reader(call: ModelCall) -> "MessageReader":
    return MessageReader(call.endpoint.provider)


class MessageReader:
    """Text and thoughts are passed on as they come, a tool call when its block is whole."""

    def __init__(self, provider: str) -> None:
        self._provider = provider
        self._calls: dict[int, tuple[Block, list[str]]] = {}
        self._reason = ""
        self._ended = False
        self._prompt_tokens: int | None = None
        self._cached_tokens = 0
        self._completion_tokens = 0

    def read(self, payloads: list[bytes]) -> list[Piece]:
        pieces: list[Piece] = []
        for payload in payloads:
            try:
                event = _decode(payload)
            except wire.UNREADABLE:
                event = wire.leniently(_events, payload, self._provider)
            match event.type:
                case "content_block_delta" if event.delta:
                    self._delta(event.index, event.delta, pieces)
                case "content_block_start" if event.content_block:
                    self._block(event.index, event.content_block, pieces)
                case "content_block_stop" if event.index in self._calls:
                    pieces.append(self._call(event.index))
                case "message_start" if event.message:
                    self._count(event.message.usage)
                case "message_delta":
                    self._reason = (event.delta and event.delta.stop_reason) or self._reason
                    self._count(event.usage)
                case "message_stop":
                    self._ended = True
                case "error":
                    raise refusals.midway(self._provider, event.error)
                case _:
                    pass
        return pieces

    def _delta(self, index: int, delta: BlockDelta, pieces: list[Piece]) -> None:
        if delta.text:
            pieces.append(runs.Token(delta.text))
        elif delta.thinking:
            pieces.append(runs.Thinking(delta.thinking))
        elif delta.partial_json and index in self._calls:
            self._calls[index][1].append(delta.partial_json)

    def _block(self, index: int, block: Block, pieces: list[Piece]) -> None:
        if block.type == "tool_use":
            self._calls[index] = block, []
        elif block.text or block.thinking:
            pieces.append(runs.Token(block.text) if block.text else runs.Thinking(block.thinking))

    def _call(self, index: int) -> runs.ToolCall:
        block, parts = self._calls.pop(index)
        return runs.ToolCall(block.id, block.name, "".join(parts) or bytes(block.input).decode() or "{}")

    def _count(self, usage: MessageUsage | None) -> None:
        """The prompt is counted with what was written to and read from the provider's cache."""
        if usage is None:
            return
        if usage.input_tokens is not None:
            self._cached_tokens = usage.cache_read_input_tokens or 0
            self._prompt_tokens = usage.input_tokens + (usage.cache_creation_input_tokens or 0) + self._cached_tokens
        self._completion_tokens = usage.output_tokens or self._completion_tokens

    def finish(self) -> list[Piece]:
        if not self._ended and not self._reason:
            raise refusals.cut_off(self._provider)
        reason = _REASONS.get(self._reason, self._reason) or "stop"
        if self._prompt_tokens is None:
            return [Finished(reason)]
        usage = runs.Usage(self._prompt_tokens, self._completion_tokens, cached_tokens=self._cached_tokens)
        return [Finished(reason, usage)]
