"""Payloads in the shape of the KlairoAI reference: `{"event", "event_id", "created_at", "data"}`."""

import json
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from msgspec import structs

from libs.contracts import contacts, documents, evals, feedback, ids, limits, plans, runs
from libs.contracts.faults import Failure
from services.webhook_dispatcher import payloads

EVENT, WORKSPACE, RUN, ACTION = ids.new(), ids.new(), ids.new(), ids.new()
AT = datetime(2026, 3, 11, 11, 30, 0, 123456, tzinfo=UTC)


def finished(status: runs.Status, failure: Failure | None = None) -> runs.RunFinished:
    return runs.RunFinished(
        workspace_id=WORKSPACE,
        run_id=RUN,
        action_id=ACTION,
        status=status,
        mode=runs.Mode.BLOCKING,
        voice="klu",
        model="smollm2",
        provider="local",
        usage=runs.Usage(12, 34),
        finished_at=AT,
        failure=failure,
    )


def sent(message: payloads.Message | None) -> dict:
    assert message is not None
    return json.loads(message.body)


def test_a_finished_run_is_a_completed_generation():
    body = sent(payloads.run_finished(EVENT, AT, finished(runs.Status.SUCCEEDED)))
    assert list(body) == ["event", "event_id", "created_at", "data"]
    assert body["event"] == "generation.completed"
    assert ids.parse(body["event_id"]) == EVENT
    assert body["event_id"].startswith("evt_")
    assert body["created_at"] == "2026-03-11T11:30:00Z"
    assert UUID(body["data"]["run_id"]) == RUN
    assert body["data"]["usage"]["completion_tokens"] == 34
    assert "workspace_id" not in body["data"]


def test_a_failed_run_says_why():
    fact = finished(runs.Status.FAILED, Failure("UPSTREAM", "The model is away."))
    body = sent(payloads.run_finished(EVENT, AT, fact))
    assert body["event"] == "generation.failed"
    assert body["data"]["error"] == {"code": "UPSTREAM", "message": "The model is away."}


@pytest.mark.parametrize(
    ("passed", "alert", "event"),
    [(3, True, "eval.completed"), (2, False, "eval.completed"), (2, True, "eval.failed")],
)
def test_an_eval_has_failed_where_somebody_wants_to_know_that_not_all_passed(passed, alert, event):
    fact = evals.TrialFinished(WORKSPACE, ids.new(), ids.new(), 1, 3, passed, 3 - passed, 0, alert)
    body = sent(payloads.trial_finished(EVENT, AT, fact))
    assert (body["event"], body["data"]["passed"], body["data"]["total"]) == (event, passed, 3)


def test_a_cancelled_run_is_no_event():
    assert payloads.run_finished(EVENT, AT, finished(runs.Status.CANCELLED)) is None


def test_a_reply_of_klairo_s_is_one_event_with_two_names():
    session = ids.new()
    fact = structs.replace(finished(runs.Status.SUCCEEDED), voice="klairo", session_id=session)
    first, second = payloads.aria_message(EVENT, AT, fact), payloads.chat_message_created(EVENT, AT, fact)
    assert first is not None
    assert second is not None
    assert first.event_id == second.event_id != EVENT
    assert (sent(first)["event"], sent(second)["event"]) == ("aria.message", "chat.message.created")
    assert (
        sent(first)["data"]
        == sent(second)["data"]
        == {
            "conversation_id": ids.crockford("conv", session),
            "message_id": ids.crockford("msg", RUN),
            "role": "assistant",
            "usage": {"prompt_tokens": 12, "completion_tokens": 34, "total_tokens": 46},
        }
    )
    for other in (structs.replace(fact, voice="klu"), structs.replace(fact, status=runs.Status.FAILED)):
        assert payloads.aria_message(EVENT, AT, other) is payloads.chat_message_created(EVENT, AT, other) is None


def test_feedback_keeps_the_type_of_its_value():
    for value in (2, "2"):
        fact = feedback.FeedbackCreated(WORKSPACE, ids.new(), RUN, "rating", value)
        body = sent(payloads.feedback_created(EVENT, AT, fact))
        assert body["event"] == "feedback.created"
        assert body["data"]["value"] == value


def test_documents_say_what_became_of_them():
    context, document = ids.new(), ids.new()
    indexed = sent(
        payloads.document_indexed(EVENT, AT, documents.DocumentIndexed(WORKSPACE, context, document, "a.md", 7))
    )
    failed = sent(
        payloads.document_failed(EVENT, AT, documents.DocumentFailed(WORKSPACE, context, document, "b.pdf", "Empty."))
    )
    assert indexed["event"] == "document.indexed"
    assert indexed["data"] == {
        "context_id": str(context),
        "document_id": str(document),
        "name": "a.md",
        "chunks": 7,
    }
    assert failed["event"] == "document.failed"
    assert failed["data"]["error"] == "Empty."


def test_a_contact_is_named_as_klairo_spells_it_and_no_more_is_told():
    contact = ids.new()
    made = sent(payloads.contact_created(EVENT, AT, contacts.ContactCreated(WORKSPACE, contact)))
    changed = sent(payloads.contact_updated(EVENT, AT, contacts.ContactUpdated(WORKSPACE, contact, ["tags"])))
    assert (made["event"], made["data"]) == ("contact.created", {"contact_id": ids.crockford("cnt", contact)})
    assert changed["event"] == "contact.updated"
    assert changed["data"] == {"contact_id": ids.crockford("cnt", contact), "changed": ["tags"]}


def test_a_ping_names_its_endpoint():
    endpoint = ids.new()
    body = sent(payloads.test_ping(EVENT, AT, workspace_id=WORKSPACE, endpoint_id=endpoint))
    assert body["event"] == "test.ping"
    assert ids.parse(body["data"]["webhook_id"]) == endpoint


def test_a_changed_plan_is_told_with_the_one_before():
    body = sent(payloads.plan_changed(EVENT, AT, plans.PlanChanged(WORKSPACE, "pro", "free")))
    assert body["event"] == "plan.changed"
    assert body["data"] == {"plan": "pro", "previous_plan": "free"}


def test_a_limit_that_was_reached_is_told_with_its_figure_and_its_window():
    ends = AT.replace(day=12, hour=0, minute=0, second=0, microsecond=0)
    fact = limits.LimitReached(
        WORKSPACE, limits.Kind.CHAT_MESSAGES, 50, "free", begins=ends - timedelta(days=1), ends=ends
    )
    body = sent(payloads.limit_reached(EVENT, AT, fact))
    assert body["event"] == "usage.limit_reached"
    assert body["data"] == {
        "kind": "chat_messages_per_day",
        "limit": 50,
        "plan": "free",
        "begins": "2026-03-11T00:00:00Z",
        "ends": "2026-03-12T00:00:00Z",
    }
