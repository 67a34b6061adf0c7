"""Told: the engine's facts of which somebody is told, by webhooks or by a notification.

Owner: webhook_dispatcher. The rule: what is told commits with the fact's id, so that a fact heard twice is told once.
What nobody is told of costs no transaction: an endpoint that was there when a fact was stated is seen by the look at
the endpoints, and one that is made later has no claim to it.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any, Generic, TypeVar
from uuid import UUID

from msgspec import Struct

from libs.bus.hear import Heard
from libs.contracts import automation_runs, contacts, documents, errands, evals, feedback, limits, plans, runs
from libs.contracts.subjects import Event
from libs.postgres.database import Connection, Database
from services.webhook_dispatcher import fan_outs, payloads, telling, telling_of_automations
from services.webhook_dispatcher.notices import Notice
from services.webhook_dispatcher.payloads import Message
from services.webhook_dispatcher.store import endpoints

F = TypeVar("F")


class Told(Struct, Generic[F], frozen=True):
    """Whoever subscribed is sent what `messages` make of a fact, and the workspace notified of what `notice` makes."""

    event: Event[F]
    messages: tuple[Callable[[UUID, datetime, F], Message | None], ...] = ()
    notice: Callable[[UUID, datetime, F], Notice | None] | None = None

    async def tell(self, connection: Connection, heard: list[Heard[F]]) -> None:
        made = [make(event.id, event.at, event.fact) for event in heard for make in self.messages]
        await fan_outs.begin(connection, [message for message in made if message is not None])
        await telling.tell(connection, self._notices(heard))

    async def concerns(self, database: Database, heard: list[Heard[F]]) -> bool:
        return bool(self._notices(heard)) or await endpoints.any_of(database, _workspaces(heard))

    def _notices(self, heard: list[Heard[F]]) -> list[Notice]:
        if self.notice is None:
            return []
        made = [self.notice(event.id, event.at, event.fact) for event in heard]
        return [notice for notice in made if notice is not None]


def _workspaces(heard: list[Heard[Any]]) -> set[UUID]:
    return {event.fact.workspace_id for event in heard}


TOLD: list[Told[Any]] = [
    Told(runs.FINISHED, payloads.OF_A_RUN, telling.reply_unread),
    Told(feedback.CREATED, (payloads.feedback_created,)),
    Told(documents.INDEXED, (payloads.document_indexed,)),
    Told(documents.FAILED, (payloads.document_failed,)),
    Told(evals.FINISHED, (payloads.trial_finished,)),
    Told(automation_runs.STARTED, (payloads.automation_started,)),
    Told(automation_runs.COMPLETED, (payloads.automation_finished,), telling_of_automations.run_completed),
    Told(automation_runs.FAILED, (payloads.automation_finished,), telling_of_automations.run_failed),
    Told(errands.NOTICE_ASKED, notice=telling_of_automations.asked),
    Told(contacts.CREATED, (payloads.contact_created,)),
    Told(contacts.UPDATED, (payloads.contact_updated,)),
    Told(contacts.UPDATE_REFUSED, notice=telling_of_automations.update_refused),
    Told(plans.CHANGED, (payloads.plan_changed,), telling.plan_changed),
    Told(limits.REACHED, (payloads.limit_reached,), telling.limit_reached),
]
