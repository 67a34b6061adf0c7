"""KlairoAI's translations: pure, and whatever a client's JSON decodes to, they raise nothing but Fault."""

from collections.abc import Callable
from datetime import date
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from libs.contracts import ids
from libs.contracts.automations import GetAutomation, OnEvent
from libs.contracts.faults import Code, Fault
from services.gateway.contacts import words
from services.gateway.contacts.store import Details
from services.gateway.dialects.klairo import translate, wire
from services.gateway.dialects.klairo.wire.contacts import GivenContact
from services.gateway.directory.callers import Caller
from services.gateway.directory.clocks import Clock
from tests.dialects.bodies import JSON, body_of

CALLER = Caller(ids.new(), ids.new(), ids.new())
TOLD = Details("Ann", "ann@example.com", "Acme", ["client"], {"city": "Rome", "score": 7})


@settings(max_examples=200, deadline=None)
@given(body=body_of(GivenContact, {}), others=st.dictionaries(st.text(max_size=8), JSON, max_size=3))
def test_a_contact_loses_nothing_that_was_not_named(body, others):
    sent = others | body
    try:
        fields = msgspec.convert(sent, GivenContact)
    except msgspec.ValidationError:
        return
    change = translate.contacts.change(fields, sent)
    made = translate.contacts.create(CALLER, change).details
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(made), type=Details) == made
    after = change.over(TOLD)
    for name in ("name", "email", "company", "tags"):
        assert name in sent or getattr(after, name) == getattr(TOLD, name)
    named = others.keys() | (sent.get("metadata") or {}).keys()
    if sent.get("metadata", ...) is not None:
        assert all(after.metadata[key] == value for key, value in TOLD.metadata.items() if key not in named)
    assert change.over(after) == after, "the same again changes nothing"


@settings(max_examples=200, deadline=None)
@given(text=st.text(max_size=60))
def test_a_search_holds_nothing_that_a_query_could_be_steered_by(text):
    for word in words.of(text):
        assert word.isalnum()
    query = words.query(text)
    assert query is None or query.replace("'", "").replace(":*", "").replace(" & ", "").isalnum()


GUIDS = st.sampled_from(["", "x", str(CALLER.key_id), ids.crockford("conv", CALLER.key_id), "0" * 26])
CONTEXTS = st.dictionaries(st.text(max_size=8), JSON, max_size=3) | st.fixed_dictionaries({"contact_id": GUIDS | JSON})


@settings(max_examples=200, deadline=None)
@given(body=body_of(wire.chat.ChatRequest, {wire.chat.ChatRequest: {"conversation_id": GUIDS, "context": CONTEXTS}}))
def test_a_message_raises_nothing_but_faults_and_its_context_is_in_the_prompt(body):
    sent = msgspec.convert(body, wire.chat.ChatRequest)
    try:
        asked = translate.chat.asked(sent)
    except Fault as raised:
        fault = raised
    else:
        _starts(sent, asked)
        return
    assert fault.code in (Code.INVALID, Code.NOT_FOUND)
    assert fault.field


def _starts(sent, asked):
    now = Clock("UTC", date(2026, 3, 11))
    start = translate.chat.start(CALLER, asked, CALLER.key_id, translate.chat.Known(now))
    msgspec.msgpack.encode(start)
    assert start.session_id is not None
    assert (start.new_session is None) == bool(sent.conversation_id)
    (message,) = start.messages
    today, _, known = message.content.partition("\n\n")
    assert today == "Today is Wednesday, 2026-03-11 (UTC)."
    # No JSON that a client sends holds an infinity.
    told = msgspec.json.decode(msgspec.json.encode(sent.context))
    assert (msgspec.json.decode(known.partition("\n")[2]) if known else None) == (told or None)


TYPES = st.sampled_from(["run_action", "http_request", "wait", "send_email", "update_contact", "notify", "condition"])
CONFIGS = st.dictionaries(
    st.sampled_from(["action_id", "url", "headers", "body", "seconds", "to", "fields", "title", "left", "op", "type"]),
    JSON,
    max_size=4,
)
TRIGGERS = st.sampled_from(["manual", "schedule", "event", "contact_created", "automation.*", "x"])
OWN = {
    wire.automations.GivenStep: {"type": TYPES, "config": CONFIGS},
    wire.automations.CreateAutomation: {"trigger": TRIGGERS},
    wire.automations.UpdateAutomation: {"trigger": TRIGGERS},
}


def faults_alone(translated: Callable[[], Any]) -> None:
    """What is translated is packed for the runner; what is refused names its field."""
    try:
        made = translated()
    except Fault as raised:
        fault = raised
    else:
        msgspec.msgpack.encode(made)
        return
    assert fault.code is Code.INVALID
    assert fault.field


@settings(max_examples=300, deadline=None)
@given(made=body_of(wire.automations.CreateAutomation, OWN), changed=body_of(wire.automations.UpdateAutomation, OWN))
def test_whatever_is_asked_for_is_understood_or_refused_by_its_field(made, changed):
    body = msgspec.convert(made, wire.automations.CreateAutomation)
    faults_alone(lambda: translate.automations.create(CALLER, body, timezone="UTC", at_most=None))
    change = msgspec.convert(changed, wire.automations.UpdateAutomation)
    named = GetAutomation(CALLER.workspace_id, CALLER.key_id)
    faults_alone(lambda: translate.automations.update(named, change, OnEvent("contact.created")))
