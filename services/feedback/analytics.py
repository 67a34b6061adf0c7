"""Analytics: how much happened in each workspace, by the UTC day on which it did.

Owner: feedback. Counted from events, which are heard once each; in whatever order they come, a late one lands on its
own day. A run's day is that of its end, a day's calls say theirs, and everything else happened when it was stated.
"""

from collections import Counter
from collections.abc import Iterable
from datetime import UTC, date, datetime
from uuid import UUID

from libs.bus.hear import Heard
from libs.contracts import analytics, calls, contacts, deliveries, runs
from libs.contracts.automation_runs import RunStarted
from libs.postgres.database import Connection, Database
from services.feedback.store import analytics as store
from services.feedback.store.analytics import Figure


class Analytics:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def of(self, request: analytics.AnalyticsOf) -> list[analytics.Day]:
        return await store.days(self._database, request)


async def messages(connection: Connection, heard: list[Heard[runs.RunFinished]]) -> None:
    """What clients asked: the engine's own runs are none."""
    facts = (event.fact for event in heard if event.fact.voice not in runs.OWN_VOICES)
    await _count(connection, Figure.CHAT_MESSAGES, ((fact.workspace_id, _day(fact.finished_at), 1) for fact in facts))


async def automation_runs(connection: Connection, heard: list[Heard[RunStarted]]) -> None:
    counted = ((event.fact.workspace_id, _day(event.at), 1) for event in heard)
    await _count(connection, Figure.AUTOMATION_RUNS, counted)


async def contacts_created(connection: Connection, heard: list[Heard[contacts.ContactCreated]]) -> None:
    counted = ((event.fact.workspace_id, _day(event.at), 1) for event in heard)
    await _count(connection, Figure.CONTACTS_CREATED, counted)


async def api_calls(connection: Connection, heard: list[Heard[calls.CallsCounted]]) -> None:
    facts = (event.fact for event in heard)
    await _count(connection, Figure.API_CALLS, ((fact.workspace_id, fact.day, fact.calls) for fact in facts))


async def webhooks_delivered(connection: Connection, heard: list[Heard[deliveries.DeliveriesArrived]]) -> None:
    counted = ((event.fact.workspace_id, _day(event.at), event.fact.deliveries) for event in heard)
    await _count(connection, Figure.WEBHOOKS_DELIVERED, counted)


def _day(at: datetime) -> date:
    return at.astimezone(UTC).date()


async def _count(connection: Connection, figure: Figure, counted: Iterable[tuple[UUID, date, int]]) -> None:
    sums: Counter[tuple[UUID, date]] = Counter()
    for workspace_id, day, number in counted:
        sums[workspace_id, day] += number
    if sums:
        await store.add(connection, figure, sums)
