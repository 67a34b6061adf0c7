"""Answers of providers, read in either protocol, wherever the network cuts them."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from libs.contracts import feed
from libs.contracts.actions import Parameters
from libs.contracts.feed import Alternative, Scored, Thinking, Token
from libs.contracts.runs import Message, ToolCall, Usage
from services.runner.providers import anthropic, openai
from services.runner.providers.call import Endpoint, Finished, Interrupted, ModelCall
from services.runner.providers.sse import EventStream
from tests.support.provider import Answer, Call, events

DIALECTS = {"openai": openai, "anthropic": anthropic}
MESSAGES = [
    Message("system", "Be kind."),
    Message("user", "Hi"),
    Message("assistant", "Yes?"),
    Message("user", "Why?"),
]
RICH = Answer(
    pieces=("Zwölf", " 😀 ", "\n\n", "ok"),
    thoughts=("hm ", "yes"),
    calls=(Call("c1", "look_up", '{"city": "Zürich"}'), Call("c2", "add", '{"a": 1, "b": 2}')),
    usage=(12, 5),
    reason="length",
)


def call(kind: str = "openai", *, url: str = "https://models.example/v1", **parameters) -> ModelCall:
    return ModelCall(Endpoint(kind, "Maker", url, "sk-secret", "small"), MESSAGES, Parameters(**parameters))


def read(kind: str, stream: bytes, *cuts: int) -> list:
    reader, stream_of_events, pieces, start = DIALECTS[kind].reader(call(kind)), EventStream(), [], 0
    for end in [*sorted(cuts), len(stream)]:
        pieces += reader.read(stream_of_events.feed(stream[start:end]))
        start = end
    return pieces + reader.read(stream_of_events.close()) + reader.finish()


def stream_of(answer: Answer, kind: str) -> bytes:
    opening, said, closing = events(answer, kind == "anthropic")
    return opening + b"".join(said) + closing


def joined(pieces: list) -> tuple[str, str, list]:
    text = "".join(piece.text for piece in pieces if isinstance(piece, Token))
    thoughts = "".join(piece.text for piece in pieces if isinstance(piece, Thinking))
    return text, thoughts, [piece for piece in pieces if not isinstance(piece, Token | Thinking)]


@pytest.mark.parametrize("kind", DIALECTS)
@given(data=st.data())
@settings(max_examples=50)
def test_an_answer_reads_the_same_wherever_it_is_cut(kind, data):
    answer = RICH if kind == "openai" else Answer(**{**_fields(RICH), "reason": "max_tokens"})
    stream = stream_of(answer, kind)
    cuts = data.draw(st.lists(st.integers(0, len(stream)), max_size=10))
    text, thoughts, rest = joined(read(kind, stream, *cuts))
    assert (text, thoughts) == ("Zwölf 😀 \n\nok", "hm yes")
    assert rest[:2] == [ToolCall("c1", "look_up", '{"city": "Zürich"}'), ToolCall("c2", "add", '{"a": 1, "b": 2}')]
    assert (rest[2].reason, rest[2].usage.prompt_tokens, rest[2].usage.completion_tokens) == ("length", 12, 5)


def _fields(answer: Answer) -> dict:
    return {name: getattr(answer, name) for name in answer.__struct_fields__}


CHOSEN = Scored(Alternative("Be", -0.5))


@pytest.mark.parametrize(
    ("logprobs", "scored"),
    [
        ('{"content": [{"token": "Be", "logprob": -0.5}]}', [CHOSEN]),
        ('{"content": null, "refusal": [{"token": "Be", "logprob": -0.5, "top_logprobs": []}]}', [CHOSEN]),
        (
            '{"content": [{"token": "Be", "logprob": -0.5, "bytes": [66, 101], "top_logprobs": ['
            '{"token": "No", "logprob": -Infinity, "bytes": [999]}, {"token": "So", "logprob": NaN}]}]}',
            [Scored(Alternative("Be", -0.5, b"Be"), [Alternative("No", -9999.0), Alternative("So", -9999.0)])],
        ),
        ('{"tokens": ["Be"], "token_logprobs": [-0.5]}', None),
        ("[-0.5]", None),
        ('{"content": [{"token": 7}]}', None),
    ],
)
def test_probabilities_are_read_as_servers_tell_them_and_cost_no_answer(logprobs, scored):
    chunk = f'{{"choices": [{{"delta": {{"content": "Be"}}, "logprobs": {logprobs}, "finish_reason": "stop"}}]}}'
    reader = openai.reader(call(top_logprobs=5))
    assert reader.read([chunk.encode()]) == [Token("Be", scored=scored)]
    assert openai.reader(call()).read([chunk.encode()]) == [Token("Be")], "nothing is kept that nobody asked for"


def test_half_a_character_is_told_with_its_other_half():
    halves = [("", [195]), ("é", [169])]
    reader, pieces = openai.reader(call(top_logprobs=0)), []
    for text, utf8 in halves:
        logprobs = {"content": [{"token": "?", "logprob": -1, "bytes": utf8}]}
        chunk = {"choices": [{"delta": {"content": text}, "logprobs": logprobs}]}
        pieces += reader.read([json.dumps(chunk).encode()])
    assert pieces == [Token("é", scored=[Scored(Alternative("?", -1, b"\xc3")), Scored(Alternative("?", -1, b"\xa9"))])]


@pytest.mark.parametrize("kind", DIALECTS)
def test_an_answer_that_stops_without_an_end_is_cut_off(kind):
    opening, said, _ = events(RICH, kind == "anthropic")
    with pytest.raises(Interrupted) as caught:
        read(kind, opening + b"".join(said))
    assert "Maker closed the connection in the midst of its answer" in caught.value.fault.message


@pytest.mark.parametrize(
    ("kind", "payload", "code"),
    [
        ("openai", '{"error": {"message": "Overloaded", "type": "server_error"}}', "UPSTREAM"),
        ("openai", '{"error": {"message": "Overloaded", "code": 429}}', "RATE_LIMITED"),
        ("openai", '{"error": "Overloaded"}', "UPSTREAM"),
        (
            "anthropic",
            '{"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}',
            "UNAVAILABLE",
        ),
    ],
)
def test_an_error_in_the_midst_of_a_stream_is_a_fault_with_its_message(kind, payload, code):
    with pytest.raises(Interrupted) as caught:
        read(kind, f"data: {payload}\n\n".encode())
    assert (caught.value.fault.code, "Overloaded" in caught.value.fault.message) == (code, True)


@pytest.mark.parametrize("payload", [b"<html>", b'{"choices": 7}', b"{", b"\xff\xfe", b"[" * 100_000])
def test_what_is_no_answer_is_said_to_be_none(payload):
    with pytest.raises(Interrupted) as caught:
        read("openai", b"data: " + payload + b"\n\n")
    assert "is no answer of its protocol" in caught.value.fault.message


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (rb'"\ud83d"', "\ufffd"),
        (rb'"\ud83d\ude00"', "😀"),
        (rb'"a\u0000b"', "a\ufffdb"),
        (b'"\xff"', "\ufffd"),
    ],
)
def test_broken_text_stays_readable(raw, text):
    stream = b'data: {"choices":[{"delta":{"content":%s}}]}\n\ndata: [DONE]\n\n' % raw
    assert joined(read("openai", stream))[0] == text


def test_tool_calls_without_an_index_are_told_apart_by_their_ids():
    deltas = [
        {"id": "a", "function": {"name": "f", "arguments": "{}"}},
        {"id": "b", "function": {"name": "g", "arguments": "{}"}},
    ]
    stream = b"".join(
        b'data: {"choices":[{"delta":{"tool_calls":[%s]}}]}\n\n' % json.dumps(it).encode() for it in deltas
    )
    assert read("openai", stream + b"data: [DONE]\n\n")[:2] == [ToolCall("a", "f", "{}"), ToolCall("b", "g", "{}")]


def test_a_null_in_every_field_is_read_as_nothing():
    empty = (
        b'data: {"choices":[{"index":0,"delta":{"content":null,"tool_calls":null},"finish_reason":null}],"usage":null}'
    )
    assert read("openai", empty + b'\n\ndata: {"choices":null}\n\ndata: [DONE]\n\n') == [Finished("stop")]


def test_anthropic_counts_what_it_cached_as_prompt():
    usage = {"input_tokens": 3, "cache_creation_input_tokens": 10, "cache_read_input_tokens": 100, "output_tokens": 1}
    start = {"type": "message_start", "message": {"usage": usage}}
    end = {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 7}}
    stream = b"".join(b"data: %s\n\n" % json.dumps(event).encode() for event in (start, end, {"type": "message_stop"}))
    assert read("anthropic", stream) == [Finished("stop", Usage(113, 7, cached_tokens=100))]


PARAMETERS = {
    "temperature": 0.5,
    "top_p": 0.9,
    "max_tokens": 100,
    "stop": ["END"],
    "presence_penalty": 0.1,
    "frequency_penalty": 0.2,
    "seed": 7,
    "response_format": {"type": "json_object"},
    "logit_bias": {"50256": -100.0},
}


def test_a_request_for_chat_completions_says_every_parameter():
    request = openai.request(call(**PARAMETERS))
    body = json.loads(request.body)
    assert request.url == "https://models.example/v1/chat/completions"
    assert request.headers["Authorization"] == "Bearer sk-secret"
    assert body == {
        "model": "small",
        "messages": [{"role": message.role, "content": message.content} for message in call().messages],
        "stream": True,
        "stream_options": {"include_usage": True},
        **PARAMETERS,
    }
    assert json.loads(openai.request(call()).body).keys() == {"model", "messages", "stream", "stream_options"}


def test_openai_itself_is_asked_in_its_newer_words():
    body = json.loads(openai.request(call(url="https://api.openai.com/v1", max_tokens=5)).body)
    assert (body["max_completion_tokens"], "max_tokens" in body) == (5, False)


def test_a_request_for_messages_says_what_that_protocol_knows():
    request = anthropic.request(call("anthropic", url="https://api.anthropic.com", **PARAMETERS))
    body = json.loads(request.body)
    assert request.url == "https://api.anthropic.com/v1/messages"
    assert (request.headers["x-api-key"], request.headers["anthropic-version"]) == ("sk-secret", "2023-06-01")
    assert body == {
        "model": "small",
        "system": "Be kind.",
        "messages": [{"role": message.role, "content": message.content} for message in call().messages[1:]],
        "stream": True,
        "max_tokens": 100,
        "temperature": 0.5,
        "top_p": 0.9,
        "stop_sequences": ["END"],
    }
    assert json.loads(anthropic.request(call("anthropic")).body)["max_tokens"] == 4096


def test_no_turn_is_empty_for_anthropic():
    asked = ModelCall(call().endpoint, [Message("user", ""), Message("tool", "42"), Message("user", "Why?")])
    turns = json.loads(anthropic.request(asked).body)["messages"]
    assert turns == [{"role": "user", "content": "42"}, {"role": "user", "content": "Why?"}]


def test_the_pieces_are_frames_bodies():
    pieces = read("openai", stream_of(Answer(pieces=("a",)), "openai"))
    assert pieces == [feed.Token("a"), Finished("stop", Usage(12, 5))]
