"""Anthropic messages: `POST {url}/v1/messages`, always streamed.

Parameters without a counterpart (penalties, seed, logit bias) are left out. An answer that has to fit a JSON Schema is
asked for as the input of one more tool, which the model must use: every model of the family knows how.
"""

from typing import Any, Literal

import msgspec
from msgspec import Struct

from libs.contracts import feed, runs
from services.runner.prompting import formats
from services.runner.providers import images, refusals, wire
from services.runner.providers.call import Finished, ModelCall, Piece, Request
from services.runner.providers.images import Text

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


# The tool whose input is the answer.
ANSWER = "give_answer"


class ToolUse(Struct, frozen=True, tag="tool_use"):
    id: str
    name: str
    input: msgspec.Raw


class ToolResult(Struct, frozen=True, tag="tool_result"):
    tool_use_id: str
    content: str


class Turn(Struct, frozen=True):
    role: Literal["user", "assistant"]
    content: str | list[Text | ToolUse | ToolResult] | list[images.Image | Text]


class Tool(Struct, frozen=True):
    name: str
    description: str
    input_schema: dict[str, Any]


class Choice(Struct, frozen=True, omit_defaults=True):
    type: str
    name: str = ""


class MessagesRequest(Struct, frozen=True, omit_defaults=True):
    model: str
    messages: list[Turn]
    max_tokens: int
    stream: bool = False
    system: str = ""
    temperature: float | None = None
    top_p: float | None = None
    stop_sequences: list[str] | None = None
    tools: list[Tool] | None = None
    tool_choice: Choice | None = None


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
        tools=_tools(call) or None,
        tool_choice=_choice(call),
    )
    headers = {"Content-Type": "application/json", "Accept": "text/event-stream", "anthropic-version": VERSION}
    if endpoint.key:
        headers["x-api-key"] = endpoint.key
    return Request(f"{endpoint.url}/v1/messages", headers, _encoder.encode(body))


def _turns(messages: list[runs.Message]) -> list[Turn]:
    """Every turn but the system's. The protocol refuses empty turns, and wants the results of one round in one."""
    turns: list[Turn] = []
    results: list[Text | ToolUse | ToolResult] = []
    for message in messages:
        if message.role == "tool" and message.call_id:
            if not results:
                turns.append(Turn("user", results))
            results.append(ToolResult(message.call_id, message.content))
            continue
        results = []
        if message.calls:
            turns.append(Turn("assistant", _uses(message)))
        elif message.role != "system" and (message.content or message.images):
            turns.append(Turn("assistant" if message.role == "assistant" else "user", images.anthropic(message)))
    return turns


def _uses(message: runs.Message) -> list[Text | ToolUse | ToolResult]:
    said = [Text(message.content)] if message.content else []
    return [*said, *(ToolUse(call.id, call.name, _input(call.arguments)) for call in message.calls)]


def _input(arguments: str) -> msgspec.Raw:
    """An object, whatever the model wrote."""
    try:
        written = isinstance(msgspec.json.decode(arguments), dict)
    except (msgspec.DecodeError, RecursionError):
        written = False
    return msgspec.Raw(arguments.encode() if written else b"{}")


def _tools(call: ModelCall) -> list[Tool]:
    tools = [Tool(tool.name, tool.description, tool.parameters or {"type": "object"}) for tool in call.tools]
    if (schema := _answer(call)) is not None:
        tools.append(Tool(ANSWER, "Gives the final answer.", schema))
    return tools


def _answer(call: ModelCall) -> dict[str, Any] | None:
    """The schema of an answer which a tool's input can be: that of an object."""
    format = call.parameters.response_format
    schema = formats.schema(format) if format and format.get("type") == "json_schema" else None
    return schema if schema is not None and schema.get("type") == "object" else None


def _choice(call: ModelCall) -> Choice | None:
    if _answer(call) is not None and call.choice in ("auto", "none", "required"):
        return Choice("any") if call.tools and call.choice != "none" else Choice("tool", ANSWER)
    if not call.tools or call.choice == "auto":
        return None
    return {"none": Choice("none"), "required": Choice("any")}.get(call.choice) or Choice("tool", call.choice)


def reader(call: ModelCall) -> "MessageReader":
    return MessageReader(call.endpoint.speaker)


class MessageReader:
    """Text and thoughts are passed on as they come, a tool call when its block is whole. The input of the tool that
    gives the answer is text.
    """

    def __init__(self, provider: str) -> None:
        self._provider = provider
        self._calls: dict[int, tuple[Block, list[str]]] = {}
        self._answering: set[int] = set()
        self._called = False
        self._reason = ""
        self._ended = False
        self._prompt_tokens: int | None = None
        self._cached_tokens = 0
        self._completion_tokens = 0

    def read(self, payloads: list[bytes]) -> list[Piece]:
        pieces: list[Piece] = []
        for payload in payloads:
            event = wire.decoded(_events, payload, self._provider)
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
            pieces.append(feed.Token(delta.text))
        elif delta.thinking:
            pieces.append(feed.Thinking(delta.thinking))
        elif delta.partial_json and index in self._calls:
            self._calls[index][1].append(delta.partial_json)
        elif delta.partial_json and index in self._answering:
            pieces.append(feed.Token(delta.partial_json))

    def _block(self, index: int, block: Block, pieces: list[Piece]) -> None:
        if block.type == "tool_use" and block.name == ANSWER:
            self._answering.add(index)
        elif block.type == "tool_use":
            self._calls[index], self._called = (block, []), True
        elif block.text or block.thinking:
            pieces.append(feed.Token(block.text) if block.text else feed.Thinking(block.thinking))

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
        if self._answering and not self._called and reason == "tool_calls":
            reason = "stop"
        if self._prompt_tokens is None:
            return [Finished(reason)]
        usage = runs.Usage(self._prompt_tokens, self._completion_tokens, cached_tokens=self._cached_tokens)
        return [Finished(reason, usage)]
