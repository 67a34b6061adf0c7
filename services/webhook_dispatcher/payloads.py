"""Payloads: a fact of the engine as the JSON that receivers get, in the shape of the KlairoAI reference.

Owner: webhook_dispatcher. A payload is made once and kept as bytes: every attempt sends and signs the same ones. The
envelope's `event_id` is spelled `evt_…`; within `data` ids are UUIDs, which every voice accepts, but for those of what
KlairoAI alone has.
"""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec
from msgspec import Struct, structs

from libs.contracts import automation_runs, contacts, documents, evals, feedback, ids, limits, plans, runs
from libs.contracts import public_events as events
from services.webhook_dispatcher.notices import Disabled


class Message(Struct, frozen=True):
    """An event of a workspace on its way to whoever subscribed: `event` is its public name, `body` what they get.

    `about` is the run, the document or the contact that it tells of. `twin` is the name that the same event has first:
    who hears it under that one gets it once.
    """

    event_id: UUID
    workspace_id: UUID
    event: str
    at: datetime
    body: bytes
    about: UUID | None = None
    twin: str | None = None


class _Envelope(Struct, frozen=True):
    event: str
    event_id: str
    created_at: str
    data: dict[str, Any]


def run_finished(event_id: UUID, at: datetime, fact: runs.RunFinished) -> Message | None:
    """None for a cancelled run: whoever cancelled it knows."""
    event = events.of_run(fact)
    if event is None:
        return None
    return message(event_id, fact.workspace_id, event, at=at, data=events.told(fact), about=fact.run_id)


def aria_message(event_id: UUID, at: datetime, fact: runs.RunFinished) -> Message | None:
    """Beside its generation, a reply of KlairoAI's is an event of its own."""
    if not events.is_message(fact):
        return None
    own = ids.derived(event_id, 1)
    return message(own, fact.workspace_id, events.ARIA_MESSAGE, at=at, data=_reply(fact), about=fact.run_id)


def chat_message_created(event_id: UUID, at: datetime, fact: runs.RunFinished) -> Message | None:
    """The same under its other name."""
    if not events.is_message(fact):
        return None
    own, event = ids.derived(event_id, 1), events.CHAT_MESSAGE_CREATED
    made = message(own, fact.workspace_id, event, at=at, data=_reply(fact), about=fact.run_id)
    return structs.replace(made, twin=events.ARIA_MESSAGE)


def _reply(fact: runs.RunFinished) -> dict[str, Any]:
    return events.message(fact) | {
        "conversation_id": None if fact.session_id is None else ids.crockford("conv", fact.session_id),
        "message_id": ids.crockford("msg", fact.run_id),
    }


def feedback_created(event_id: UUID, at: datetime, fact: feedback.FeedbackCreated) -> Message:
    return message(
        event_id, fact.workspace_id, events.FEEDBACK_CREATED, at=at, data=events.told(fact), about=fact.run_id
    )


def document_indexed(event_id: UUID, at: datetime, fact: documents.DocumentIndexed) -> Message:
    return message(
        event_id, fact.workspace_id, events.DOCUMENT_INDEXED, at=at, data=events.told(fact), about=fact.document_id
    )


def document_failed(event_id: UUID, at: datetime, fact: documents.DocumentFailed) -> Message:
    return message(
        event_id, fact.workspace_id, events.DOCUMENT_FAILED, at=at, data=events.told(fact), about=fact.document_id
    )


def contact_created(event_id: UUID, at: datetime, fact: contacts.ContactCreated) -> Message:
    return _contact(event_id, events.CONTACT_CREATED, at, fact)


def contact_updated(event_id: UUID, at: datetime, fact: contacts.ContactUpdated) -> Message:
    return _contact(event_id, events.CONTACT_UPDATED, at, fact)


def _contact(
    event_id: UUID, event: str, at: datetime, fact: contacts.ContactCreated | contacts.ContactUpdated
) -> Message:
    """What is known of it is asked for where it is needed: what was sent can't be erased."""
    told = events.told(fact) | {"contact_id": ids.crockford("cnt", fact.contact_id)}
    return message(event_id, fact.workspace_id, event, at=at, data=told, about=fact.contact_id)


def automation_started(event_id: UUID, at: datetime, fact: automation_runs.RunStarted) -> Message:
    told = _automation(fact) | {"trigger": fact.trigger, "status": "running"}
    about = fact.contact_id or fact.run_id
    return message(event_id, fact.workspace_id, events.AUTOMATION_RUN, at=at, data=told, about=about)


def automation_finished(event_id: UUID, at: datetime, fact: automation_runs.RunFinished) -> Message:
    """Completed, or failed: why is told where the run is."""
    told = events.told(fact) | _automation(fact) | {"duration_ms": round(fact.duration_ms)}
    about = fact.contact_id or fact.run_id
    failed = fact.status is automation_runs.RunStatus.FAILED
    event = events.AUTOMATION_FAILED if failed else events.AUTOMATION_COMPLETED
    return message(event_id, fact.workspace_id, event, at=at, data=told, about=about)


def _automation(fact: automation_runs.RunStarted | automation_runs.RunFinished) -> dict[str, Any]:
    return {
        "run_id": ids.crockford("run", fact.run_id),
        "automation_id": ids.crockford("auto", fact.automation_id),
        "automation_name": fact.automation_name,
        "contact_id": None if fact.contact_id is None else ids.crockford("cnt", fact.contact_id),
    }


def trial_finished(event_id: UUID, at: datetime, fact: evals.TrialFinished) -> Message:
    """In numbers."""
    return message(event_id, fact.workspace_id, events.of_trial(fact), at=at, data=events.told(fact))


def plan_changed(event_id: UUID, at: datetime, fact: plans.PlanChanged) -> Message:
    return message(event_id, fact.workspace_id, events.PLAN_CHANGED, at=at, data=events.told(fact))


def limit_reached(event_id: UUID, at: datetime, fact: limits.LimitReached) -> Message:
    return message(event_id, fact.workspace_id, events.USAGE_LIMIT_REACHED, at=at, data=events.told(fact))


def test_ping(event_id: UUID, at: datetime, *, workspace_id: UUID, endpoint_id: UUID) -> Message:
    greeting = {
        "webhook_id": ids.crockford("wh", endpoint_id),
        "message": "A test delivery: your endpoint is reachable.",
    }
    return message(event_id, workspace_id, events.TEST_PING, at=at, data=greeting)


def webhook_disabled(event_id: UUID, at: datetime, disabled: Disabled) -> Message:
    facts = {"webhook_id": ids.crockford("wh", disabled.endpoint_id), "url": disabled.url}
    return message(event_id, disabled.workspace_id, events.WEBHOOK_DISABLED, at=at, data=facts)


def message(
    event_id: UUID, workspace_id: UUID, event: str, *, at: datetime, data: dict[str, Any], about: UUID | None = None
) -> Message:
    moment = at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    envelope = _Envelope(event, ids.crockford("evt", event_id), moment, data)
    return Message(event_id, workspace_id, event, at, msgspec.json.encode(envelope), about)


# What a run's end is told as.
OF_A_RUN = (run_finished, aria_message, chat_message_created)
