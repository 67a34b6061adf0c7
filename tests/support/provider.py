"""A language model provider in both protocols: `POST …/chat/completions` and `POST …/messages`.

It answers as told (text, thoughts, tool calls, delays, errors, breaks), records what it was asked, and notices callers
that leave. Written on a bare asyncio protocol, so that a bench can use it as well: `provider(recording=False)`.
"""

import asyncio
import functools
import json
from collections import deque
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Any, cast

from msgspec import Struct


class Call(Struct, frozen=True):
    id: str
    name: str
    arguments: str


class Answer(Struct, frozen=True):
    """What the model says and how it comes, in seconds. `scored`: each piece is told as a token, with so many of the
    likeliest at its place (OpenAI's protocol alone). `cut` is the bytes of each write; after `breaks_after` pieces
    the connection is closed; after the first one `gate` is waited for, before each of them one of `beats`.
    """

    pieces: tuple[str, ...] = ("Hello", " from", " the", " model", ".")
    thoughts: tuple[str, ...] = ()
    calls: tuple[Call, ...] = ()
    usage: tuple[int, int] | None = (12, 5)
    reason: str = "stop"
    scored: int | None = None
    first: float = 0.0
    between: float = 0.0
    cut: int = 0
    breaks_after: int | None = None
    gate: asyncio.Event | None = None
    beats: asyncio.Semaphore | None = None
    plain: bool = False
    status: int = 200
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()

    @property
    def text(self) -> str:
        return "".join(self.pieces)

    @property
    def at_once(self) -> bool:
        return not (self.first or self.between or self.cut or self.gate or self.beats or self.breaks_after is not None)


def refusal(status: int, message: str, **headers: str) -> Answer:
    body = json.dumps({"error": {"message": message, "type": "error"}}).encode()
    return Answer(status=status, body=body, headers=tuple((name.replace("_", "-"), it) for name, it in headers.items()))


def calling(*calls: Call, pieces: tuple[str, ...] = (), **more: Any) -> Answer:
    """A model that calls tools, in the words of the protocol it is asked in."""
    return Answer(pieces=pieces, calls=calls, reason="", **more)


class Asked(Struct, frozen=True):
    """A request in either protocol. `tools` and `results` are what it offers by name, and answers by call."""

    path: str
    headers: dict[str, str]
    body: dict[str, Any]

    @property
    def tools(self) -> dict[str, dict[str, Any]]:
        """The schema of each tool's arguments."""
        offered = [tool.get("function", tool) for tool in self.body.get("tools", ())]
        return {tool["name"]: tool.get("parameters", tool.get("input_schema")) for tool in offered}

    @property
    def results(self) -> dict[str, str]:
        messages = self.body["messages"]
        told = {each["tool_call_id"]: each["content"] for each in messages if each["role"] == "tool"}
        blocks = [block for each in messages if isinstance(each["content"], list) for block in each["content"]]
        return told | {block["tool_use_id"]: block["content"] for block in blocks if block["type"] == "tool_result"}


class Provider:
    """`answers` are given in turn, then what `script` makes of the request, then `default` for ever.

    `left` counts callers that went before the end; a script needs a recording provider.
    """

    def __init__(self, *, recording: bool = True) -> None:
        self.default = Answer()
        self.script: Callable[[Asked], Answer] | None = None
        self.answers: deque[Answer] = deque()
        self.asked: list[Asked] = []
        self.answering = 0
        self.left = 0
        self.url = ""
        self.recording = recording
        self.moved = asyncio.Event()
        self.connections: set[Connection] = set()

    @property
    def openai_url(self) -> str:
        return f"{self.url}/v1"

    def plays(self, *answers: Answer) -> None:
        self.answers.extend(answers)

    def next(self) -> Answer:
        if self.answers:
            return self.answers.popleft()
        return self.script(self.asked[-1]) if self.script and self.asked else self.default

    async def until_left(self, count: int = 1) -> None:
        """Returns once so many callers have gone before the end of their answers."""
        async with asyncio.timeout(60):
            while self.left < count:
                self.moved.clear()
                await self.moved.wait()


@asynccontextmanager
async def provider(*, recording: bool = True, port: int = 0) -> AsyncGenerator[Provider]:
    upstream = Provider(recording=recording)
    server = await asyncio.get_running_loop().create_server(lambda: Connection(upstream), "127.0.0.1", port)
    upstream.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield upstream
    finally:
        server.close()
        for connection in list(upstream.connections):
            connection.close()


class Connection(asyncio.Protocol):
    """One caller's connection: requests one after the other, each with a Content-Length."""

    def __init__(self, upstream: Provider) -> None:
        self._upstream = upstream
        self._received = b""
        self._transport: asyncio.Transport | None = None
        self._task: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._upstream.connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._upstream.connections.discard(self)
        if self._task is not None and not self._task.done():
            self._upstream.left += 1
            self._upstream.moved.set()
            self._task.cancel()

    def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
        if self._transport is not None:
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, separator, rest = self._received.partition(b"\r\n\r\n")
        if not separator:
            return
        length = _length(head)
        if len(rest) >= length:
            self._received = rest[length:]
            self._begin(head, rest[:length])

    def _begin(self, head: bytes, body: bytes) -> None:
        path = head.split(b" ", 2)[1].decode()
        if self._upstream.recording:
            self._upstream.asked.append(Asked(path, _headers(head), json.loads(body)))
        answer, anthropic = self._upstream.next(), path.endswith("/messages")
        if answer.at_once:
            self._write(_whole(answer, anthropic))
        else:
            self._task = asyncio.get_running_loop().create_task(self._play(answer, anthropic))

    async def _play(self, answer: Answer, anthropic: bool) -> None:
        self._upstream.answering += 1
        try:
            await asyncio.sleep(answer.first)
            if answer.status != 200 or answer.plain:
                self._write(_whole(answer, anthropic))
                return
            await self._stream(answer, anthropic)
        finally:
            self._upstream.answering -= 1

    async def _stream(self, answer: Answer, anthropic: bool) -> None:
        opening, said, closing = events(answer, anthropic)
        self._write(_HEAD_OF_STREAM)
        await self._chunks(opening, answer.cut)
        for number, event in enumerate(said):
            if number == answer.breaks_after:
                assert self._transport is not None
                self._transport.abort()
                return
            if answer.beats is not None:
                await answer.beats.acquire()
            await self._chunks(event, answer.cut)
            if number == 0 and answer.gate is not None:
                await answer.gate.wait()
            if answer.between:
                await asyncio.sleep(answer.between)
        await self._chunks(closing, answer.cut)
        self._write(b"0\r\n\r\n")

    async def _chunks(self, events: bytes, cut: int) -> None:
        size = cut or len(events) or 1
        for start in range(0, len(events), size):
            self._write(_chunk(events[start : start + size]))
            if cut:
                await asyncio.sleep(0)

    def _write(self, data: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)


_HEAD_OF_STREAM = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"


def _length(head: bytes) -> int:
    return int(_headers(head).get("content-length", "0"))


def _headers(head: bytes) -> dict[str, str]:
    lines = (line.partition(":") for line in head.decode("latin-1").split("\r\n")[1:])
    return {name.strip().lower(): value.strip() for name, _, value in lines}


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


@functools.lru_cache(maxsize=256)
def _whole(answer: Answer, anthropic: bool) -> bytes:
    if answer.status != 200:
        return _reply(answer.status, answer.body, answer.headers)
    if answer.plain:
        return _reply(200, _completion(answer), answer.headers)
    opening, said, closing = events(answer, anthropic)
    return _HEAD_OF_STREAM + _chunk(opening + b"".join(said) + closing) + b"0\r\n\r\n"


def _reply(status: int, body: bytes, headers: tuple[tuple[str, str], ...]) -> bytes:
    told = "".join(f"{name}: {value}\r\n" for name, value in headers)
    head = f"HTTP/1.1 {status} Told\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n{told}\r\n"
    return head.encode() + body


def events(answer: Answer, anthropic: bool) -> tuple[bytes, list[bytes], bytes]:
    """The answer as a stream's events: what opens it, one for each piece that is said, what closes it."""
    return _messages(answer) if anthropic else _completions(answer)


def _completions(answer: Answer) -> tuple[bytes, list[bytes], bytes]:
    thoughts = [_delta({"reasoning_content": thought}) for thought in answer.thoughts]
    pieces = [_delta({"content": piece}, _logprobs((piece,), answer.scored)) for piece in answer.pieces]
    closing = b""
    for index, call in enumerate(answer.calls):
        half = len(call.arguments) // 2
        named = {"name": call.name, "arguments": call.arguments[:half]}
        rest = {"arguments": call.arguments[half:]}
        closing += _delta({"tool_calls": [{"index": index, "id": call.id, "type": "function", "function": named}]})
        closing += _delta({"tool_calls": [{"index": index, "function": rest}]})
    reason = answer.reason or "tool_calls"
    closing += _sse({"choices": [{"index": 0, "delta": {}, "finish_reason": reason}]})
    if answer.usage is not None:
        closing += _sse({"choices": [], "usage": _usage(answer)})
    return _delta({"role": "assistant", "content": ""}), thoughts + pieces, closing + b"data: [DONE]\n\n"


def _completion(answer: Answer) -> bytes:
    message = {"role": "assistant", "content": answer.text}
    logprobs = _logprobs(answer.pieces, answer.scored)
    choice = {"index": 0, "message": message, "logprobs": logprobs, "finish_reason": answer.reason}
    return json.dumps({"choices": [choice], "usage": _usage(answer)}, indent=1).encode()


def _usage(answer: Answer) -> dict[str, Any]:
    prompt, completion = answer.usage or (0, 0)
    details = {"reasoning_tokens": len(answer.thoughts)}
    return {"prompt_tokens": prompt, "completion_tokens": completion, "completion_tokens_details": details}


def _delta(delta: dict[str, Any], logprobs: dict[str, Any] | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "logprobs": logprobs}
    return _sse({"id": "chatcmpl-1", "object": "chat.completion.chunk", "choices": [choice]})


def _logprobs(tokens: tuple[str, ...], likeliest: int | None) -> dict[str, Any] | None:
    if likeliest is None:
        return None
    content = [
        _weighed(token, 0) | {"top_logprobs": [_weighed(token + "'" * place, place) for place in range(likeliest)]}
        for token in tokens
    ]
    return {"content": content, "refusal": None}


def _weighed(token: str, place: int) -> dict[str, Any]:
    return {"token": token, "logprob": -0.25 - place, "bytes": list(token.encode())}


def _messages(answer: Answer) -> tuple[bytes, list[bytes], bytes]:
    prompt, completion = answer.usage or (0, 0)
    started = {"id": "msg_1", "role": "assistant", "content": [], "usage": {"input_tokens": prompt, "output_tokens": 1}}
    opening = _named("message_start", message=started) + _named("ping")
    said = [
        _named("content_block_delta", index=0, delta={"type": "thinking_delta", "thinking": thought})
        for thought in answer.thoughts
    ]
    said += [
        _named("content_block_delta", index=1, delta={"type": "text_delta", "text": piece}) for piece in answer.pieces
    ]
    closing = b"".join(_block(index, call) for index, call in enumerate(answer.calls, 2))
    closing += _named(
        "message_delta", delta={"stop_reason": answer.reason or "tool_use"}, usage={"output_tokens": completion}
    )
    return opening, said, closing + _named("message_stop")


def _block(index: int, call: Call) -> bytes:
    half = len(call.arguments) // 2
    block = {"type": "tool_use", "id": call.id, "name": call.name, "input": {}}
    parts = (call.arguments[:half], call.arguments[half:])
    deltas = [
        _named("content_block_delta", index=index, delta={"type": "input_json_delta", "partial_json": part})
        for part in parts
    ]
    stop = _named("content_block_stop", index=index)
    return _named("content_block_start", index=index, content_block=block) + b"".join(deltas) + stop


def _named(kind: str, **fields: Any) -> bytes:
    return f"event: {kind}\n".encode() + _sse({"type": kind, **fields})


def _sse(event: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps(event).encode() + b"\n\n"
