"""What an event tells: an automation and a webhook have the same names for it."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec
import pytest

from libs.contracts import automation_runs, contacts, endpoints, feedback, ids, plans, runs
from libs.contracts.automation_runs import RunStatus
from libs.contracts.faults import Code, Failure
from services.runner.automations.happenings import HEARD
from services.webhook_dispatcher import payloads
from services.webhook_dispatcher.notices import Disabled

AT, EVENT, OURS, ID = datetime(2026, 3, 1, tzinfo=UTC), ids.new(), ids.new(), ids.new()
FAILURE = Failure(Code.UPSTREAM, "The model is away.")


def generation(status: runs.Status, failure: Failure | None = None) -> runs.RunFinished:
    return runs.RunFinished(
        OURS,
        ID,
        ID,
        status,
        runs.Mode.BLOCKING,
        runs.ARIA,
        "m",
        "p",
        runs.Usage(1, 2),
        AT,
        failure=failure,
        session_id=ID,
    )


def automation(status: RunStatus, failure: Failure | None = None) -> automation_runs.RunFinished:
    return automation_runs.RunFinished(OURS, ID, ID, "Follow up", status, 2, 4.2, ID, failure)


def told(event: Any, fact: Any, name: str) -> dict[str, Any]:
    """To an automation."""
    [tell] = [tell for heard, tell in HEARD if heard is event]
    [happening] = [happening for happening in tell(fact) if happening.name == name]
    return happening.told()


def sent(make: Callable[..., payloads.Message | None], fact: Any) -> dict[str, Any]:
    made = make(EVENT, AT, fact)
    assert made is not None
    return msgspec.json.decode(made.body)["data"]


@pytest.mark.parametrize(
    ("name", "event", "fact", "make"),
    [
        ("generation.completed", runs.FINISHED, generation(runs.Status.SUCCEEDED), payloads.run_finished),
        ("generation.failed", runs.FINISHED, generation(runs.Status.FAILED, FAILURE), payloads.run_finished),
        ("aria.message", runs.FINISHED, generation(runs.Status.SUCCEEDED), payloads.aria_message),
        ("contact.created", contacts.CREATED, contacts.ContactCreated(OURS, ID), payloads.contact_created),
        ("plan.changed", plans.CHANGED, plans.PlanChanged(OURS, "pro", "free"), payloads.plan_changed),
        (
            "feedback.created",
            feedback.CREATED,
            feedback.FeedbackCreated(OURS, ID, ID, "rating", 2),
            payloads.feedback_created,
        ),
        (
            "automation.run",
            automation_runs.STARTED,
            automation_runs.RunStarted(OURS, ID, ID, "Follow up", "manual", ID),
            payloads.automation_started,
        ),
        (
            "automation.run.completed",
            automation_runs.COMPLETED,
            automation(RunStatus.COMPLETED),
            payloads.automation_finished,
        ),
        (
            "automation.run.failed",
            automation_runs.FAILED,
            automation(RunStatus.FAILED, FAILURE),
            payloads.automation_finished,
        ),
    ],
)
def test_an_automation_is_told_what_a_webhook_tells_by_the_same_names(name, event, fact, make):
    of_automation, of_webhook = told(event, fact, name), sent(make, fact)
    assert of_automation.keys() == of_webhook.keys()
    assert of_automation.get("error") == of_webhook.get("error")


def test_a_webhook_that_is_tried_or_given_up_on_is_named_by_both():
    tried = told(endpoints.TESTED, endpoints.EndpointTested(OURS, ID), "test.ping")
    given_up = told(endpoints.DISABLED, endpoints.EndpointDisabled(OURS, ID), "webhook.disabled")
    assert tried == given_up == {"webhook_id": str(ID)}
    ping = payloads.test_ping(EVENT, AT, workspace_id=OURS, endpoint_id=ID)
    gone = payloads.webhook_disabled(EVENT, AT, Disabled(ID, OURS, "https://a.example"))
    for message in (ping, gone):
        assert named(message) == ID


def named(message: payloads.Message) -> UUID | None:
    spelled = msgspec.json.decode(message.body)["data"]["webhook_id"]
    assert spelled.startswith("wh_")
    return ids.parse(spelled)
