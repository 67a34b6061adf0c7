"""Telling of automations: how their runs went, what their steps say, and what could not be done for them.

Owner: webhook_dispatcher. Pure. What happens again to one automation on a day is one notification.
"""

from datetime import datetime
from uuid import UUID

import msgspec

from libs.contracts import automation_runs, contacts, errands, ids
from services.webhook_dispatcher.notices import Notice

_COMPLETED, _FAILED, _ASKED = "automation_completed", "automation_failed", "automation"
_REFUSED = "contact_refused"
# Bytes of what an automation says beside its text.
_MOST_METADATA = 16_384


def run_completed(_: UUID, at: datetime, fact: automation_runs.RunFinished) -> Notice:
    body = f"{fact.automation_name} finished."
    return _of_run(_COMPLETED, "Automation run complete", body, at=at, fact=fact)


def run_failed(_: UUID, at: datetime, fact: automation_runs.RunFinished) -> Notice:
    reason = f": {fact.failure.message}" if fact.failure else "."
    return _of_run(_FAILED, "Automation run failed", f"{fact.automation_name} failed{reason}", at=at, fact=fact)


def _of_run(type: str, title: str, body: str, *, at: datetime, fact: automation_runs.RunFinished) -> Notice:
    about = {"automation_id": fact.automation_id, "run_id": fact.run_id}
    if fact.contact_id is not None:
        about["contact_id"] = fact.contact_id
    return Notice(
        id=ids.named(fact.workspace_id, f"{type} {fact.automation_id} {at.date()}"),
        workspace_id=fact.workspace_id,
        type=type,
        title=title,
        body=body[: errands.LONGEST_BODY],
        metadata={name: str(id) for name, id in about.items()},
        about=list(about.values()),
    )


def asked(event_id: UUID, at: datetime, fact: errands.NoticeAsked) -> Notice:
    """What a step says is a notice of its own; that one is not set off again and again is one a day."""
    stopped = fact.type == errands.STOPPED
    fits = len(msgspec.json.encode(fact.metadata)) <= _MOST_METADATA
    about = [fact.automation_id, *([fact.run_id] if fact.run_id else ())]
    contact = ids.parse(str(fact.metadata.get("contact_id", "")))
    return Notice(
        id=ids.named(fact.workspace_id, f"{errands.STOPPED} {fact.automation_id} {at.date()}") if stopped else event_id,
        workspace_id=fact.workspace_id,
        type=errands.STOPPED if stopped else _ASKED,
        title=fact.title[: errands.LONGEST_TITLE],
        body=fact.body[: errands.LONGEST_BODY],
        metadata=fact.metadata if fits else {"automation_id": str(fact.automation_id)},
        about=[*about, contact] if contact else about,
    )


def update_refused(_: UUID, at: datetime, fact: contacts.UpdateRefused) -> Notice:
    about = {"automation_id": fact.automation_id, "run_id": fact.run_id, "contact_id": fact.contact_id}
    return Notice(
        id=ids.named(fact.workspace_id, f"{_REFUSED} {fact.automation_id} {at.date()}"),
        workspace_id=fact.workspace_id,
        type=_REFUSED,
        title="A contact was not updated",
        body=fact.reason[: errands.LONGEST_BODY],
        metadata={name: str(id) for name, id in about.items()},
        about=list(about.values()),
    )
