"""Happenings: the engine's facts under the public names by which automations wait for them. Pure.

A fact goes by the names that its webhook has, and so does what is told of it.
"""

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, TypeVar
from uuid import UUID

import msgspec
from msgspec import Struct

from libs.contracts import (
    automation_runs,
    contacts,
    documents,
    endpoints,
    evals,
    feedback,
    limits,
    plans,
    public_events,
    runs,
)

F = TypeVar("F")
Tell = Callable[[F], Sequence["Happening"]]


class Happening(Struct, frozen=True):
    """A fact under its public names: an automation hears it once, whichever of them it goes by.

    `data` is what is told of it, where that is not all that the fact says.
    """

    fact: Any
    names: tuple[str, ...]
    data: dict[str, Any] | None = None

    @property
    def workspace_id(self) -> UUID:
        return self.fact.workspace_id

    @property
    def chain(self) -> list[UUID]:
        """The automations that led to it."""
        return getattr(self.fact, "chain", [])

    @property
    def name(self) -> str:
        return self.names[0]

    @property
    def patterns(self) -> frozenset[str]:
        """Those that hear of it."""
        return _patterns(self.names)

    def told(self) -> dict[str, Any]:
        """Ids are UUIDs."""
        return msgspec.to_builtins(public_events.told(self.fact) if self.data is None else self.data)


@cache
def _patterns(names: tuple[str, ...]) -> frozenset[str]:
    return frozenset(pattern for name in names for pattern in public_events.patterns(name))


def run_finished(fact: runs.RunFinished) -> list[Happening]:
    name = public_events.of_run(fact)
    happened = [Happening(fact, (name,))] if name else []
    if public_events.is_message(fact):
        names = (public_events.ARIA_MESSAGE, public_events.CHAT_MESSAGE_CREATED)
        happened.append(Happening(fact, names, public_events.message(fact)))
    return happened


def automation_started(fact: automation_runs.RunStarted) -> list[Happening]:
    data = public_events.told(fact) | {"status": automation_runs.RunStatus.RUNNING}
    return [Happening(fact, (public_events.AUTOMATION_RUN,), data)]


def trial_finished(fact: evals.TrialFinished) -> list[Happening]:
    return [Happening(fact, (public_events.of_trial(fact),))]


def under(name: str) -> Tell[Any]:
    return lambda fact: [Happening(fact, (name,))]


HEARD: list[tuple[Any, Tell[Any]]] = [
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
    (automation_runs.STARTED, automation_started),
    (automation_runs.COMPLETED, under(public_events.AUTOMATION_COMPLETED)),
    (automation_runs.FAILED, under(public_events.AUTOMATION_FAILED)),
]
