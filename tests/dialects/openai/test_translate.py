"""OpenAI's translations: pure, and whatever a client's JSON decodes to, they raise nothing but Fault."""

import base64
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from libs.contracts import feed, ids, runs
from libs.contracts.faults import Code, Failure, Fault
from libs.contracts.runs import Message
from libs.contracts.runs import Usage as Taken
from services.gateway.completions import told
from services.gateway.completions import wire as shared
from services.gateway.dialects.openai import errors, translate, wire
from services.gateway.dialects.openai.translate.events import Telling
from services.gateway.directory.callers import Caller
from services.gateway.http import problems
from services.gateway.http.places import Place
from tests.dialects.bodies import body_of, refusal
from tests.dialects.klu import examples

CALLER = Caller(examples.WORKSPACE, ids.new(), ids.new())
CHAT = replace(examples.action, kind="chat")
TARGETS = st.sampled_from([examples.action, CHAT, examples.model])
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8)

URLS = st.sampled_from(
    [
        "",
        "x",
        "https://a.example/b.png",
        "data:",
        "data:image/png;base64,iVBORw0KGgo=",
        "data:;base64,aGk=",
        "data:;base64,*",
    ]
)
KINDS = st.sampled_from(["text", "input_text", "image_url", "input_image", "refusal", "audio"])
FIELDS: dict[Any, dict[str, Any]] = {
    shared.Part: {"type": KINDS},
    shared.ImageUrl: {"url": URLS},
    wire.items.InputPart: {"type": KINDS, "image_url": URLS},
    wire.items.InputItem: {
        "type": st.sampled_from([None, "message", "function_call", "function_call_output", "other"])
    },
    wire.responses.Tool: {"type": st.sampled_from(["function", "web_search"])},
}
PREVIOUS = replace(
    examples.run, output="", calls=[runs.ToolCall("1", "weather", "{}", client=True)], finish_reason="tool_calls"
)


def start(target: Any, asked: Any) -> runs.StartRun:
    return translate.starting.start(CALLER, target, asked)


TRANSLATIONS = [
    (wire.chat.ChatRequest, lambda body, target: start(target, translate.chat.asked(body))),
    (wire.responses.ResponseRequest, lambda body, target: start(target, translate.responses.asked(body, None))),
    (wire.responses.ResponseRequest, lambda body, target: start(target, translate.responses.asked(body, PREVIOUS))),
    (wire.embeddings.EmbeddingRequest, lambda body, _: translate.embeddings.texts(body)),
]


@pytest.mark.parametrize(("type", "apply"), TRANSLATIONS)
@settings(max_examples=60, deadline=None)
@given(sent=st.data())
def test_a_translation_raises_nothing_but_faults(type, apply, sent):
    target = sent.draw(TARGETS)
    fault = refusal(sent.draw(body_of(type, FIELDS)), type, lambda body: apply(body, target))
    assert fault is None or (fault.field and fault.code in (Code.INVALID, Code.UNSUPPORTED, Code.TOO_LARGE))


WEIGHED = st.builds(feed.Alternative, TEXTS, st.floats(-9999, 0), st.none() | st.binary(max_size=3))
SCORED = st.lists(st.builds(feed.Scored, WEIGHED, st.lists(WEIGHED, max_size=2)), max_size=2)
BODIES = st.one_of(
    TEXTS.map(feed.Token),
    st.builds(feed.Token, TEXTS, scored=SCORED),
    TEXTS.map(feed.Thinking),
    TEXTS.map(lambda text: runs.ToolCall(ids.new().hex, "look", text, client=True)),
    st.just(runs.ToolCall("ours", "look", "{}")),
    st.just(feed.ToolResult("ours", "look", "it")),
    st.just(feed.Unknown()),
)


def frames(*bodies: feed.Body) -> list[feed.Frame]:
    return [feed.Frame(1, n, body) for n, body in enumerate(bodies, 1)]


def finished(bodies: list[feed.Body]) -> runs.Run:
    """The run that such frames end in."""
    calls = [body for body in bodies if isinstance(body, runs.ToolCall) and body.client]
    text = "".join(body.text for body in bodies if isinstance(body, feed.Token))
    thinking = "".join(body.text for body in bodies if isinstance(body, feed.Thinking))
    return replace(examples.run, output=text, thinking=thinking, calls=calls)


def scored(bodies: list[feed.Body]) -> list[feed.Scored]:
    return [token for body in bodies if isinstance(body, feed.Token) for token in body.scored or []]


STARTED = feed.Started(examples.ACTION, None, "m", "p")
DONE = feed.Done("stop", examples.run.usage, 1.0)


@settings(deadline=None)
@given(bodies=st.lists(BODIES, max_size=8))
def test_the_chunks_of_a_stream_are_the_completion(bodies):
    run = finished(bodies)
    whole, telling = told.completion(run, "m", scored(bodies)), told.Telling(run, "m", usage=True)
    events = [telling.begin(), *(event for frame in frames(STARTED, *bodies, DONE) for event in telling.of(frame))]
    chunks = [msgspec.json.decode(event.data) for event in events[:-1]]
    deltas = [chunk["choices"][0]["delta"] for chunk in chunks if chunk["choices"]]
    calls = [call for delta in deltas for call in delta.get("tool_calls", ())]
    assert "".join(delta.get("content", "") for delta in deltas) == (whole.choices[0].message.content or "")
    assert [call.pop("index") for call in calls] == list(range(len(run.calls)))
    assert calls == msgspec.to_builtins(whole.choices[0].message.tool_calls or [])
    logprobs = [chunk["choices"][0]["logprobs"] for chunk in chunks if chunk["choices"]]
    tokens = [token for told in logprobs if told for token in told["content"]]
    assert (tokens or None) == (whole.choices[0].logprobs and msgspec.to_builtins(whole.choices[0].logprobs.content))
    assert chunks[-1]["usage"] == msgspec.to_builtins(whole.usage)
    assert {(chunk["id"], chunk["created"]) for chunk in chunks} == {(whole.id, whole.created)}
    assert events[-1].data == b"[DONE]"


def tell(telling: Telling, *bodies: feed.Body) -> list[Any]:
    return [msgspec.json.decode(event.data) for frame in frames(*bodies) for event in telling.of(frame)]


@settings(deadline=None)
@given(bodies=st.lists(BODIES, max_size=8))
def test_the_events_of_a_stream_are_the_response(bodies):
    run = finished(bodies)
    events = tell(Telling(run), STARTED, *bodies, DONE)
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    last, whole = events[-1]["response"], msgspec.to_builtins(translate.replies.reply(run, scored(bodies)))
    told_items, whole_items = last.pop("output"), whole.pop("output")
    for kind, part in (("reasoning", "reasoning_text"), ("message", "output_text")):
        deltas = [event["delta"] for event in events if event["type"] == f"response.{part}.delta"]
        assert "".join(deltas) == "".join(texts(told_items, kind)) == "".join(texts(whole_items, kind))
    pieces = [event for event in events if event["type"] == "response.output_text.delta"]
    parts = [part for item in whole_items if item["type"] == "message" for part in item["content"]]
    assert [token for piece in pieces for token in piece["logprobs"]] == [
        token for part in parts for token in part["logprobs"]
    ]
    calls = [[item for item in items if item["type"] == "function_call"] for items in (told_items, whole_items)]
    assert calls[0] == calls[1]
    assert last | {"completed_at": 0} == whole | {"completed_at": 0}
    done = [event["item"] for event in events if event["type"] == "response.output_item.done"]
    assert done == told_items
    opened = [event["output_index"] for event in events if event["type"] == "response.output_item.added"]
    assert opened == list(range(len(told_items)))


def texts(items: list[Any], kind: str) -> list[str]:
    return [part["text"] for item in items if item["type"] == kind for part in item["content"]]


@given(bodies=st.lists(BODIES, max_size=6), cut=st.integers(0, 40))
def test_who_starts_after_an_event_gets_the_ones_after_it(bodies, cut):
    run = finished(bodies)
    events = tell(Telling(run), STARTED, *bodies, DONE)
    assert tell(Telling(run, past=cut), STARTED, *bodies, DONE) == events[cut + 1 :]


@pytest.mark.parametrize(
    ("end", "type", "status", "reason"),
    [
        (feed.Done("length", Taken(), 1.0), "response.incomplete", "incomplete", "max_output_tokens"),
        (feed.Done("content_filter", Taken(), 1.0), "response.incomplete", "incomplete", "content_filter"),
        (feed.Cancelled(Taken()), "response.incomplete", "cancelled", None),
        (feed.Failed(Failure(Code.UPSTREAM, "It broke off.")), "response.failed", "failed", None),
        (feed.Replaced("other"), "response.failed", "failed", None),
    ],
)
def test_an_answer_that_is_not_whole_says_so(end, type, status, reason):
    last = tell(Telling(examples.run), STARTED, feed.Token("Be"), end)[-1]
    assert (last["type"], last["response"]["status"]) == (type, status)
    assert last["response"]["output"][0]["status"] == "incomplete"
    assert (last["response"]["incomplete_details"] or {}).get("reason") == reason


@pytest.mark.parametrize("make", [Telling, lambda run, **more: told.Telling(run, "m", **more)])
def test_what_begins_again_before_anything_was_said_is_no_failure(make):
    telling = make(examples.run)
    for frame in (
        feed.Frame(1, 1, STARTED),
        feed.Frame(2, 1, feed.Restarted()),
        feed.Frame(2, 2, STARTED),
        feed.Frame(2, 3, feed.Token("Hi")),
    ):
        telling.of(frame)
    assert not telling.ended
    late = make(examples.run, seen=Place(examples.RUN, 1, 5))
    assert late.of(feed.Frame(2, 1, feed.Restarted()))
    assert late.ended


@pytest.mark.parametrize("make", [Telling, lambda run, **more: told.Telling(run, "m", **more)])
def test_an_answer_that_is_only_gone_on_with_is_not_taken_back(make):
    telling = make(examples.run)
    said = [event for frame in frames(STARTED, feed.Token("a"), feed.Replaced("ab")) for event in telling.of(frame)]
    assert not telling.ended
    assert b'"b"' in said[-1].data


def test_what_a_response_put_out_may_be_put_in_again():
    run = finished([feed.Thinking("Hm."), feed.Token("Look."), runs.ToolCall("1", "look", '{"a":1}', client=True)])
    items = msgspec.convert(msgspec.to_builtins(translate.replies.output(run)), list[wire.items.InputItem])
    output = wire.items.InputItem(type="function_call_output", call_id="1", output="it")
    assert translate.items.turns([*items, output]) == [
        Message("assistant", "Look.", [runs.ToolCall("1", "look", '{"a":1}')]),
        Message("tool", "it", call_id="1"),
    ]


def test_an_image_is_taken_out_of_its_address():
    png = b"\x89PNG\r\n\x1a\n..."
    url = f"data:image/png;base64,{base64.b64encode(png).decode()}"
    parts = [{"type": "text", "text": "What?"}, {"type": "image_url", "image_url": {"url": url}}]
    body = msgspec.convert({"messages": [{"role": "user", "content": parts}]}, wire.chat.ChatRequest)
    started = start(examples.action, translate.chat.asked(body))
    assert (started.inputs, started.images, started.messages) == (
        "What?",
        [runs.Image("image 1", "image/png", png)],
        [],
    )
    assert start(CHAT, translate.chat.asked(body)).messages[0].images == started.images


@pytest.mark.parametrize(
    ("fault", "status", "type", "code"),
    [
        (Fault(Code.INVALID, "no", field="x"), 400, "invalid_request_error", "invalid"),
        (Fault(Code.UNAUTHORIZED, "no"), 401, "invalid_request_error", "invalid_api_key"),
        (Fault(Code.NOT_FOUND, "no", field="model"), 404, "invalid_request_error", "model_not_found"),
        (Fault(Code.RATE_LIMITED, "no", retry_after=2.5), 429, "rate_limit_error", "rate_limit_exceeded"),
        (Fault(Code.UPSTREAM, "no"), 502, "server_error", "upstream"),
        (Fault(Code.UNAVAILABLE, "no"), 503, "server_error", "unavailable"),
    ],
)
def test_faults_in_openais_words(fault, status, type, code):
    response = errors.render(problems.of(fault))
    assert isinstance(response.body, bytes)
    error = msgspec.json.decode(response.body)["error"]
    assert (response.status, error["type"], error["code"], error["param"]) == (status, type, code, fault.field)
    assert response.headers.get("Retry-After") == ("3" if fault.retry_after else None)


def test_a_conflict_that_stays_is_not_asked_again():
    assert errors.render(problems.of(Fault(Code.CONFLICT, "no"))).headers["x-should-retry"] == "false"
    passing = Fault(Code.CONFLICT, "soon", retry_after=1)
    assert "x-should-retry" not in errors.render(problems.of(passing)).headers
