"""Klisk's translations: pure, and whatever a client's JSON decodes to, they raise nothing but Fault."""

import base64
import json

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from libs.contracts import feed, ids, runs
from libs.contracts.faults import Code, Failure, Fault
from services.gateway import attachments
from services.gateway.dialects.klisk import translate, wire
from services.gateway.dialects.klisk.translate.events import Telling
from tests.dialects.klu import examples

WORKSPACE, RUN = ids.new(), ids.new()
DONE = feed.Done("stop", runs.Usage(), 1.0)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
IDS = st.sampled_from(["", "x", f"resp_{RUN}", str(RUN), ids.crockford("resp", RUN), "resp_abc123"])
TEXTS = st.none() | st.text(max_size=20)
HISTORY = st.lists(st.dictionaries(st.text(max_size=8), JSON, max_size=3), max_size=3)


@st.composite
def sent(draw: st.DrawFn, *names: str) -> dict[str, object]:
    """Any JSON object; what the names of its fields promise, they mostly hold."""
    fields = {
        "message": TEXTS,
        "stream": st.none() | st.booleans(),
        "agent_name": TEXTS,
        "previous_response_id": st.none() | IDS,
        "type": st.none() | st.sampled_from(["clear", "restore", "cancel", "ping"]),
        "attachments": st.none() | st.lists(st.dictionaries(st.sampled_from(["mime_type", "data", "name"]), TEXTS)),
        "state": st.none()
        | st.fixed_dictionaries(
            {},
            optional={
                "current_agent_name": TEXTS,
                "conversation_history": st.none() | HISTORY,
                "previous_response_id": st.none() | IDS,
                "signature": TEXTS,
                "was_litellm": st.none() | st.booleans(),
            },
        ),
    }
    chosen = {name: st.one_of(fields[name], fields[name], JSON) for name in names}
    return draw(st.fixed_dictionaries({}, optional=chosen))


def translated(body, type, apply) -> None:
    try:
        decoded = msgspec.convert(body, type)
    except msgspec.ValidationError:
        return
    try:
        asked = apply(decoded)
    except Fault as raised:
        fault = raised
    else:
        assert asked.message.strip() or asked.attachments
        return
    assert fault.code in (Code.INVALID, Code.NOT_FOUND)


@settings(max_examples=200, deadline=None)
@given(body=sent("message", "stream", "agent_name", "previous_response_id", "attachments", "state"))
def test_a_request_raises_nothing_but_faults(body):
    translated(body, wire.ChatRequest, translate.chat.asked)


@settings(max_examples=200, deadline=None)
@given(body=sent("message", "agent_name", "previous_response_id", "attachments", "type"))
def test_a_socket_s_message_raises_nothing_but_faults(body):
    translated(body, wire.SocketMessage, lambda message: translate.chat.said(message, "Helper", RUN))


def decoded(text: str) -> bytes:
    """In either alphabet, with line breaks, and with or without its padding."""
    letters = "".join(text.split()).rstrip("=")
    return base64.urlsafe_b64decode(letters.replace("+", "-").replace("/", "_") + "=" * (-len(letters) % 4))


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.builds(
            wire.Attachment,
            st.sampled_from([*attachments.TYPES, "IMAGE/PNG; q=1", "text/plain", ""]),
            st.one_of(st.text(max_size=9), st.binary(max_size=9).map(lambda some: base64.b64encode(some).decode())),
            st.text(max_size=9),
        )
    )
)
def test_an_attachment_is_decoded_or_refused(given):
    try:
        files = translate.chat.files(given)
    except Fault as raised:
        fault = raised
    else:
        assert [len(file.content) for file in files] == [len(decoded(each.data)) for each in given]
        return
    assert fault.code in (Code.UNSUPPORTED, Code.TOO_LARGE, Code.INVALID)


@settings(max_examples=100, deadline=None)
@given(history=HISTORY, agent=TEXTS)
def test_a_state_that_went_round_through_json_is_the_one_that_was_signed(history, agent):
    before = wire.State(conversation_history=history, current_agent_name=agent)
    state = translate.states.of(examples.run, agent or "", "Why?", before)
    as_clients_keep_it = json.loads(msgspec.json.encode(state))
    back = msgspec.convert(dict(reversed(as_clients_keep_it.items())), wire.State)
    assert translate.states.digest(WORKSPACE, back) == translate.states.digest(WORKSPACE, state)


@settings(max_examples=100, deadline=None)
@given(edit=HISTORY.filter(bool))
def test_a_state_that_was_edited_is_not(edit):
    state = translate.states.of(examples.run, "Helper", "Why?")
    edited = msgspec.structs.replace(state, conversation_history=edit)
    assert translate.states.digest(WORKSPACE, edited) != translate.states.digest(WORKSPACE, state)


@pytest.mark.parametrize(
    "spelled",
    [f"resp_{RUN}", f"resp_{RUN.hex}", str(RUN), ids.crockford("resp", RUN)],
    ids=["uuid", "hex", "bare", "crockford"],
)
def test_a_response_s_id_names_its_run_in_every_spelling(spelled):
    assert translate.chat.response(spelled) == RUN


def test_the_id_that_is_given_out_is_read_again():
    assert translate.chat.response(translate.chat.response_id(RUN)) == RUN


BODIES = st.one_of(
    st.text(max_size=30).map(feed.Token),
    st.text(max_size=30).map(feed.Thinking),
    st.text(max_size=30).map(feed.Replaced),
    st.builds(runs.ToolCall, st.text(max_size=5), st.text(max_size=5), st.text(max_size=30)),
    st.builds(feed.ToolResult, st.text(max_size=5), st.text(max_size=5), st.text(max_size=30), st.booleans()),
    st.just(feed.Unknown()),
    st.just(feed.Restarted()),
)


@settings(max_examples=100, deadline=None)
@given(bodies=st.lists(BODIES, max_size=8))
def test_both_spellings_of_an_event_say_the_same(bodies):
    frames = [feed.Frame(1, n, body) for n, body in enumerate([*bodies, DONE], 1)]
    streaming, speaking = Telling(RUN), Telling(RUN)
    lines = [event.data for frame in frames for event in streaming.lines(frame) if event.data]
    events = [event for frame in frames for event in speaking.events(frame)]
    assert [json.loads(line) for line in lines[:-1]] == [json.loads(translate.events.frame(each)) for each in events]
    assert lines[-1] == b"[DONE]"
    assert all(line.isascii() and b"\n" not in line for line in lines)
    assert events[-1] == wire.Done(streaming.text, f"resp_{RUN}")


def test_results_are_told_in_the_order_of_their_calls_and_promised_once_told():
    bodies = [
        *(runs.ToolCall(name, name, "{}") for name in "abc"),
        *(feed.ToolResult(name, name, f"of {name}") for name in "cab"),
        feed.ToolResult("z", "z", "of an earlier one"),
    ]
    telling = Telling(RUN)
    told = [telling.lines(feed.Frame(1, n, body)) for n, body in enumerate(bodies, 1)]
    spoken = [[(json.loads(event.data)["data"].get("output"), event.id) for event in each] for each in told[3:]]
    assert spoken == [
        [],
        [("of a", f"{RUN}-5")],
        [("of b", ""), ("of c", f"{RUN}-6")],
        [("of an earlier one", f"{RUN}-7")],
    ]


@pytest.mark.parametrize(
    ("end", "last"),
    [
        (feed.Restarted(), None),
        (feed.Cancelled(runs.Usage()), wire.Done("So", f"resp_{RUN}")),
        (feed.Failed(Failure(Code.UPSTREAM, "It broke.")), wire.Error("It broke.")),
    ],
)
def test_every_call_has_a_result_whatever_becomes_of_the_run(end, last):
    bodies = [
        feed.Token("So"),
        *(runs.ToolCall(name, name, "{}") for name in "ab"),
        feed.ToolResult("b", "b", "of b"),
        end,
    ]
    telling = Telling(RUN)
    told = [event for n, body in enumerate(bodies, 1) for event in telling.events(feed.Frame(1, n, body))]
    results = [event.data.output for event in told if isinstance(event, wire.ToolResult)]
    assert results == ["Tool 'a' raised: the run did not wait for its answer", "of b"]
    assert (told[-1] if last else None) == last


def test_after_a_new_beginning_results_wait_for_the_new_calls_alone():
    telling = Telling(RUN)
    for n, body in enumerate([feed.Token("A"), runs.ToolCall("1", "look", "{}"), feed.Restarted()], 1):
        telling.events(feed.Frame(1, n, body))
    anew = [runs.ToolCall("2", "look", "{}"), feed.ToolResult("2", "look", "blue"), feed.Token("B"), DONE]
    told = [event for n, body in enumerate(anew, 2) for event in telling.events(feed.Frame(2, n, body))]
    assert told[1:] == [wire.ToolResult(wire.Output("blue")), wire.Token("B"), wire.Done("B", f"resp_{RUN}")]


def test_what_is_said_of_a_workspace_is_spelled_as_klisk_spells_it():
    told = msgspec.to_builtins(translate.info.reply("Main", None, auth_required=True))
    assert told.keys() == {"name", "agent", "auth_required", "deploy"}
    assert told["deploy"].keys() == {"chat", "widget", "api"}
