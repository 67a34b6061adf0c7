"""The grammar that every subject keeps, and what every question carries."""

import re
from datetime import UTC, datetime
from uuid import UUID

import msgspec
import pytest
from msgspec import Struct, structs

from deploy import subjects
from libs.contracts import feed, ids, runs
from libs.contracts.subjects import DECLARED, MAY_ASK, MAY_CALL, SERVICES, Event, Feed, Rpc, Stated
from tests.contracts.snapshot import carried, taken

CONSTANTS = subjects.constants()
ALL = [constant.subject for constant in CONSTANTS]
RPCS = [subject for subject in ALL if isinstance(subject, Rpc)]
EVENTS = [subject for subject in ALL if isinstance(subject, Event)]


class Fact(Struct, frozen=True):
    workspace_id: UUID


@pytest.mark.parametrize("subject", ALL, ids=str)
def test_a_subject_reads_kind_owner_noun_verb(subject):
    kind, owner, *rest = subject.name.split(".")
    assert isinstance(subject, {"rpc": Rpc, "event": Event, "feed": Feed}[kind])
    assert owner == subject.owner
    assert owner in SERVICES
    assert len(rest) == (1 if isinstance(subject, Feed) else 2)
    assert all(re.fullmatch("[a-z]+(_[a-z]+)*", part) for part in rest)


@pytest.mark.parametrize("subject", EVENTS, ids=str)
def test_an_event_is_a_fact_in_the_past_tense(subject):
    assert subject.name.rpartition(".")[2].endswith("ed")


def test_a_declared_subject_is_a_constant_of_a_contract():
    assert {subject.name for subject in ALL} == {name for name in DECLARED if "tests." not in name}
    assert len(ALL) == len({id(subject) for subject in ALL}), "a subject has two names"


@pytest.mark.parametrize(
    ("shape", "name"),
    [
        (Rpc, "rpc.nobody.runs.start"),
        (Rpc, "rpc.runner.runs"),
        (Rpc, "rpc.runner.runs.start.now"),
        (Rpc, "rpc.runner.Runs.start"),
        (Rpc, "event.runner.runs.start"),
        (Event, "rpc.runner.runs.ended"),
        (Event, "event.runner.*.ended"),
        (Feed, "feed.runner.runs.frames"),
        (Feed, "feed.runner"),
    ],
)
def test_a_subject_that_breaks_the_grammar_is_refused(shape, name):
    types = (Fact, Fact) if shape is Rpc else (Fact,)
    with pytest.raises(ValueError, match="is no"):
        shape(name, *types)
    assert name not in DECLARED


def test_a_subject_is_declared_once():
    with pytest.raises(ValueError, match="declared twice"):
        Rpc(runs.GET.name, Fact, Fact)


def test_every_service_says_whom_it_may_call_and_nobody_calls_backwards():
    assert MAY_CALL.keys() == SERVICES
    assert all("gateway" not in called for caller, called in MAY_CALL.items() if caller != "gateway")
    asked = [DECLARED[question] for questions in MAY_ASK.values() for question in questions]
    assert [rpc.name for rpc in asked if rpc not in RPCS] == [], "there is no such question"
    assert all("webhook_dispatcher" not in MAY_CALL[caller] for caller in ("runner", "retrieval", "feedback"))


@pytest.mark.parametrize("subject", [*RPCS, *EVENTS], ids=str)
def test_the_workspace_comes_first_in_every_request_and_fact(subject):
    request = carried(subject).get("request") or carried(subject)["fact"]
    if request is feed.AskFrames:
        request = feed.Cursor
    first = structs.fields(request)[0]
    assert (first.name, first.type) == ("workspace_id", UUID)


@pytest.mark.parametrize("name", [name for name, known in taken()["types"].items() if "fields" in known])
def test_what_travels_is_frozen_and_bears_fields_of_a_later_version(name):
    module, _, struct = name.partition(".")
    config = getattr(__import__(f"libs.contracts.{module}", fromlist=[struct]), struct).__struct_config__
    assert config.frozen
    assert not config.forbid_unknown_fields


def test_an_older_version_reads_what_a_newer_one_sends():
    class Later(Struct, frozen=True):
        workspace_id: UUID
        run_id: UUID
        reason: str

    sent = Later(ids.new(), ids.new(), "new in this version")
    assert runs.GET.unpack(msgspec.msgpack.encode(sent)) == runs.GetRun(sent.workspace_id, sent.run_id)


def test_a_batch_of_facts_comes_through_as_it_was():
    fact = runs.RunFinished(
        ids.new(), ids.new(), ids.new(), runs.Status.SUCCEEDED, runs.Mode.ASYNC, "klu", "m", "p", runs.Usage(1, 2),
        datetime.now(UTC),
    )  # fmt: skip
    sent = [Stated(ids.new(), fact.finished_at, msgspec.Raw(runs.FINISHED.pack(fact)))]
    (got,) = msgspec.msgpack.decode(msgspec.msgpack.encode(sent), type=list[Stated])
    assert (got.id, got.at) == (sent[0].id, sent[0].at)
    assert runs.FINISHED.unpack(got.body) == fact
