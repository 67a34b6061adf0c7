"""Hearing: the engine's own events as what sets automations off, under their public names.

The rule: a run begins in the transaction that notes the event as heard, so it is one for each automation. An automation
that has led to an event is not set off by it, nor is anything once a chain is long: the workspace is told so.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar
from uuid import UUID

import msgspec
from msgspec import Struct

from libs.bus.hear import Heard
from libs.contracts import (
    automations,
    contacts,
    documents,
    endpoints,
    evals,
    feedback,
    ids,
    limits,
    plans,
    public_events,
    runs,
)
from libs.contracts.automations import NoticeAsked
from libs.postgres import outbox
from libs.postgres.database import Connection, Database
from services.runner.automations.beginning import Cause, begin
from services.runner.store import automations as stored
from services.runner.store.automations import Stored

F = TypeVar("F", bound=Struct)

STOPPED = "automation_stopped"
_LONGEST_CHAIN = 5
# The voice in which Aria speaks.
_ARIA = "klairo"
_NOT_TOLD = frozenset({"workspace_id", "chain", "unread"})


class Happening(Struct, frozen=True):
    """A fact under its public names: an automation hears it once, whichever of them it goes by."""

    workspace_id: UUID
    names: tuple[str, ...]
    told: dict[str, Any]
    chain: list[UUID]


def setting_off(
    tell: Callable[[F], Sequence[Happening]],
) -> Callable[[Connection, list[Heard[F]]], Awaitable[None]]:
    async def apply(connection: Connection, heard: list[Heard[F]]) -> None:
        told = [(event.id, happening) for event in heard for happening in tell(event.fact)]
        listening = await stored.listening(connection, {happening.workspace_id for _, happening in told})
        for event_id, happening in told:
            if happening.workspace_id in listening:
                await _set_off(connection, event_id, happening)

    return apply


async def listened_to(database: Database, facts: list[Any]) -> bool:
    return bool(await stored.listening(database, {fact.workspace_id for fact in facts}))


async def _set_off(connection: Connection, event_id: UUID, happening: Happening) -> None:
    patterns = {pattern for name in happening.names for pattern in public_events.patterns(name)}
    for automation in await stored.hearing(connection, happening.workspace_id, sorted(patterns)):
        if (reason := _stopped(automation, happening)) is not None:
            await outbox.state(connection, automations.NOTICE_ASKED, [_notice(automation, happening, reason)])
        else:
            cause = Cause(happening.names[0], _payload(event_id, happening), happening.chain)
            await begin(connection, ids.new(), automation, cause)


def _stopped(automation: Stored, happening: Happening) -> str | None:
    """Why it is not set off."""
    if automation.automation.id in happening.chain:
        return "it had led to that event itself"
    if len(happening.chain) >= _LONGEST_CHAIN:
        return f"{_LONGEST_CHAIN} automations had set each other off before it"
    return None


def _notice(automation: Stored, happening: Happening, reason: str) -> NoticeAsked:
    of = automation.automation
    return NoticeAsked(
        workspace_id=of.workspace_id,
        automation_id=of.id,
        run_id=None,
        type=STOPPED,
        title="Automation stopped",
        body=f"{of.name} was not set off by {happening.names[0]}: {reason}.",
        metadata={"automation_id": str(of.id), "event": happening.names[0]},
    )


def _payload(event_id: UUID, happening: Happening) -> dict[str, Any]:
    return happening.told | {"event": happening.names[0], "event_id": str(event_id)}


def _happening(fact: Any, *names: str) -> Happening:
    """What is told of a fact are its fields, ids as UUIDs."""
    told = {name: getattr(fact, name) for name in fact.__struct_fields__ if name not in _NOT_TOLD}
    return Happening(fact.workspace_id, names, msgspec.to_builtins(told), getattr(fact, "chain", []))


def run_finished(fact: runs.RunFinished) -> list[Happening]:
    """A cancelled one neither completed nor failed."""
    match fact.status:
        case runs.Status.FAILED:
            return [_happening(fact, public_events.GENERATION_FAILED)]
        case runs.Status.SUCCEEDED:
            generation = _happening(fact, public_events.GENERATION_COMPLETED)
            said = _happening(fact, public_events.ARIA_MESSAGE, public_events.CHAT_MESSAGE_CREATED)
            return [generation, said] if fact.voice == _ARIA else [generation]
        case _:
            return []


def trial_finished(fact: evals.TrialFinished) -> list[Happening]:
    failed = fact.alert and fact.passed < fact.total
    return [_happening(fact, public_events.EVAL_FAILED if failed else public_events.EVAL_COMPLETED)]


def under(name: str) -> Callable[[Any], list[Happening]]:
    return lambda fact: [_happening(fact, name)]


HEARD: list[tuple[Any, Callable[[Any], Sequence[Happening]]]] = [
    (runs.FINISHED, run_finished),
    (evals.FINISHED, trial_finished),
    (feedback.CREATED, under(public_events.FEEDBACK_CREATED)),
    (documents.INDEXED, under(public_events.DOCUMENT_INDEXED)),
    (documents.FAILED, under(public_events.DOCUMENT_FAILED)),
    (contacts.CREATED, under(public_events.CONTACT_CREATED)),
    (contacts.UPDATED, under(public_events.CONTACT_UPDATED)),
    (plans.CHANGED, under(public_events.PLAN_CHANGED)),
    (limits.REACHED, under(public_events.USAGE_LIMIT_REACHED)),
    (endpoints.DISABLED, under(public_events.WEBHOOK_DISABLED)),
    (endpoints.TESTED, under(public_events.TEST_PING)),
    (automations.STARTED, under(public_events.AUTOMATION_RUN)),
    (automations.COMPLETED, under(public_events.AUTOMATION_COMPLETED)),
    (automations.FAILED, under(public_events.AUTOMATION_FAILED)),
]
