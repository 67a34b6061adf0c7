"""LLMStack's translations: pure, and whatever a client's JSON decodes to, they raise nothing but Fault."""

import base64
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from libs.contracts import apps, contexts, documents, feed, ids, runs
from libs.contracts.faults import Code, Failure, Fault
from services.gateway.dialects.llmstack import translate, wire
from services.gateway.directory.callers import Caller
from services.gateway.http import inline
from tests.dialects.bodies import body_of, refusal
from tests.dialects.klu import examples

WORKSPACE, THING = ids.new(), ids.new()
CALLER = Caller(WORKSPACE, ids.new(), ids.new())
CONTEXT = contexts.GetContext(WORKSPACE, THING)
MODELS = [examples.model]
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)

GUIDS = st.sampled_from(["", "x", str(THING), ids.crockford("app", THING), "0" * 26])
FIELDS: dict[Any, dict[str, Any]] = {
    wire.CreateApp: {"model": GUIDS | st.just(examples.model.llm), "datasources": st.lists(GUIDS, max_size=2)},
    wire.CreateDatasource: {"type": GUIDS | st.integers(0, 5) | st.sampled_from(["text", "URL", "pdf"])},
    wire.EntryData: {
        "file": GUIDS | st.sampled_from(["data:", "data:;base64,", "data:application/pdf;name=%ff;base64,aGk=", "aGk="])
    },
}
TRANSLATIONS = [
    (wire.CreateApp, lambda body: translate.apps.create(CALLER, body, MODELS)),
    (wire.UpdateApp, lambda body: translate.apps.update(apps.GetApp(WORKSPACE, THING), body, MODELS)),
    (wire.RunApp, lambda body: translate.runs.start(CALLER, str(THING), body.session_id, body)),
    (wire.CreateDatasource, lambda body: translate.datasources.create(CALLER, body)),
    (wire.UpdateDatasource, lambda body: translate.datasources.update(CONTEXT, body)),
    (wire.AddEntry, lambda body: translate.entries.add(CONTEXT, body)),
]


@pytest.mark.parametrize(("type", "apply"), TRANSLATIONS, ids=lambda case: getattr(case, "__name__", ""))
@settings(max_examples=50, deadline=None)
@given(sent=st.data())
def test_a_translation_raises_nothing_but_faults(type, apply, sent):
    fault = refusal(sent.draw(body_of(type, FIELDS)), type, apply)
    assert fault is None or (fault.field and fault.code in (Code.INVALID, Code.NOT_FOUND))


def stitched(one: Any, other: Any) -> Any:
    """As LLMStack's clients put lines together: objects by key, lists by place, texts one after the other."""
    match one, other:
        case dict(), dict():
            return one | {key: stitched(one[key], value) if key in one else value for key, value in other.items()}
        case list(), list():
            rest = one[len(other) :] or other[len(one) :]
            return [stitched(*pair) for pair in zip(one, other, strict=False)] + rest
        case str(), str():
            return one + other
        case _:
            return other or one


def lines(deltas: translate.lines.Deltas, *bodies: feed.Body) -> list[Any]:
    frames = [feed.Frame(1, n, body) for n, body in enumerate(bodies, 1)]
    return [msgspec.json.decode(line.encoded()) for frame in frames for line in deltas.of(frame)]


@given(
    texts=st.lists(st.text(st.characters(exclude_categories=["Cs"]), min_size=1), max_size=8), beats=st.integers(0, 3)
)
def test_the_lines_of_a_stream_stitch_to_the_reply(texts, beats):
    run = msgspec.structs.replace(examples.run, output="".join(texts))
    opening = msgspec.to_builtins(translate.runs.opening(run, None))
    said = lines(translate.lines.Deltas(), *map(feed.Token, texts), feed.Done("stop", runs.Usage(), 1.0))
    whole: Any = opening
    for line in [*said, *[{}] * beats]:
        whole = stitched(whole, line)
    assert {"output": ""} | whole == msgspec.to_builtins(translate.runs.reply(run, None))


def test_a_line_is_one_line_whatever_is_said():
    [line] = translate.lines.Deltas().of(feed.Frame(1, 1, feed.Token('a\n"b"\u2028\0')))
    assert line.encoded().count(b"\n") == 1
    assert msgspec.json.decode(line.encoded()) == {"output": 'a\n"b"\u2028\0'}


def test_the_outputs_of_a_workflow_stream_each_under_its_key():
    said = lines(translate.lines.Deltas(), feed.Token("a", node="first"), feed.Token("b", node="second"))
    assert said == [{"first": "a"}, {"second": "b"}]


@pytest.mark.parametrize(
    ("bodies", "told"),
    [
        ([feed.Started(THING, None, "m", "p"), feed.Retrieved([]), feed.Thinking("hm"), feed.Unknown()], []),
        ([feed.Restarted(), feed.Token("a")], [{"output": "a"}]),
        ([feed.Token("a"), feed.Replaced("ab")], [{"output": "a"}, {"output": "b"}]),
        ([feed.Token("a"), feed.Replaced("a")], [{"output": "a"}]),
        ([feed.Failed(Failure(Code.UPSTREAM, "It broke off."))], [{"errors": ["It broke off."]}]),
    ],
)
def test_frames_become_lines(bodies, told):
    assert lines(translate.lines.Deltas(), *bodies) == told


@pytest.mark.parametrize("bodies", [[feed.Token("a"), feed.Replaced("b")], [feed.Token("a"), feed.Restarted()]])
def test_what_was_said_is_not_taken_back_but_told_to_be_void(bodies):
    assert "void" in lines(translate.lines.Deltas(), *bodies)[-1]["errors"][0]


@pytest.mark.parametrize("body", [feed.Replaced("ab"), feed.Restarted()])
def test_who_resumes_can_not_know_what_was_replaced(body):
    assert "void" in lines(translate.lines.Deltas(resumed=True), body)[-1]["errors"][0]


def start(session: str | None) -> runs.StartRun:
    return translate.runs.start(CALLER, str(THING), session, wire.RunApp(input={}))


def test_a_session_is_called_as_the_client_likes():
    assert start(str(THING)).session_id == start(ids.crockford("conv", THING)).session_id == THING
    named = start("visitor 7")
    assert (named.session_id, named.new_session) == (ids.named(WORKSPACE, "visitor 7"), "visitor 7")
    assert start(None).session_id != start(None).session_id


@pytest.mark.parametrize("session", ["x" * 201, "a\0", "a\nb", "\ud800"])
def test_what_no_session_is_called_is_refused(session):
    with pytest.raises(Fault) as raised:
        start(session)
    assert (raised.value.code, raised.value.field) == (Code.INVALID, "session_id")


def entry(**data: Any) -> Any:
    body = msgspec.convert({"entry_data": data, "entry_metadata": {"key1": "value1"}}, wire.AddEntry)
    return translate.entries.add(CONTEXT, body)


def test_all_fields_may_be_sent_where_one_says_something():
    assert entry(name="n", content="Text.", url="", file="") == documents.AddText(
        WORKSPACE, THING, "Text.", "n", {"key1": "value1"}
    )


@pytest.mark.parametrize(
    "data",
    [
        {"url": "https://a.example, https://b.example\nhttps://c.example"},
        {"urls": ["https://a.example", "https://b.example,https://c.example"]},
        {"url": "https://a.example", "urls": "\n https://b.example\r\n\r\nhttps://c.example\n"},
    ],
)
def test_addresses_are_parted_by_commas_and_lines(data):
    assert entry(**data).urls == ["https://a.example", "https://b.example", "https://c.example"]


@pytest.mark.parametrize("data", [{}, {"content": " "}, {"content": "a", "url": "https://a.example"}, {"url": ", ,"}])
def test_an_entry_is_one_of_three(data):
    with pytest.raises(Fault) as raised:
        entry(**data)
    assert (raised.value.code, raised.value.field) == (Code.INVALID, "entry_data")


@pytest.mark.parametrize(
    ("text", "given", "name", "content"),
    [
        ("aGk=", "", "file", b"hi"),
        ("aGk", "a.txt", "a.txt", b"hi"),
        ("data:application/pdf;name=My%20file.pdf;base64,aGk=", "", "My file.pdf", b"hi"),
        ("data:text/markdown;base64,aGk=", "Notes", "Notes.md", b"hi"),
        ("data:;base64,", "a", "a", b""),
        ("data:text/plain;charset=utf-8;base64,aG\r\nk=\n", "", "file.txt", b"hi"),
        ("_-8=", "", "file", b"\xff\xef"),
    ],
)
def test_files_come_as_data_addresses_and_as_bare_base64(text, given, name, content):
    file = inline.file(text, name=given)
    assert (file.name, b"".join(inline.decoded(file))) == (name, content)


@given(content=st.binary(max_size=300), width=st.integers(1, 80))
def test_base64_is_decoded_wherever_its_lines_break(content, width):
    encoded = base64.b64encode(content).decode()
    broken = "\n".join(encoded[at : at + width] for at in range(0, len(encoded), width))
    assert b"".join(inline.decoded(inline.File("a", broken))) == content


@pytest.mark.parametrize("text", ["data:text/plain,hi", "data:", "a", "a===", "ä===", "aGk=aGk", "a*b="])
def test_what_is_no_base64_is_refused(text):
    with pytest.raises(Fault) as raised:
        b"".join(inline.decoded(inline.file(text)))
    assert (raised.value.code, raised.value.field) == (Code.INVALID, "file")
