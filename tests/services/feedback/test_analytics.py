"""Analytics, counted from whatever tells of them: in any order and however often, each event once, on its own day."""

import asyncio
import random
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from msgspec.structs import asdict

from libs.bus.react import Reactions
from libs.bus.store import Letter
from libs.contracts import analytics, automation_runs, calls, contacts, deliveries, ids, runs, workspaces
from libs.contracts.subjects import Event
from tests.support.calling import state
from tests.support.waiting import eventually

pytestmark = [pytest.mark.asyncio, pytest.mark.usefixtures("service")]

MIDNIGHT = datetime(2026, 3, 10, tzinfo=UTC)
MARCH = date(2026, 3, 1), date(2026, 3, 31)
# A second before midnight elsewhere is another day in UTC.
EAST = datetime.fromisoformat("2026-03-10T01:59:59+02:00")


def letter(event: Event[Any], fact: Any, at: datetime = MIDNIGHT) -> Letter:
    return Letter(ids.new(), event.name, at, event.pack(fact))


def message(workspace: UUID, at: datetime, voice: str = "klairo") -> Letter:
    fact = runs.RunFinished(
        workspace, ids.new(), ids.new(), runs.Status.SUCCEEDED, runs.Mode.BLOCKING, voice, "m", "p", runs.Usage(), at
    )
    return letter(runs.FINISHED, fact, MIDNIGHT + timedelta(days=9))


def started(workspace: UUID, at: datetime) -> Letter:
    return letter(
        automation_runs.STARTED, automation_runs.RunStarted(workspace, ids.new(), ids.new(), "Mail", "manual"), at
    )


def created(workspace: UUID, at: datetime) -> Letter:
    return letter(contacts.CREATED, contacts.ContactCreated(workspace, ids.new()), at)


def counted(workspace: UUID, day: date, number: int) -> Letter:
    return letter(calls.COUNTED, calls.CallsCounted(workspace, day, number))


def arrived(workspace: UUID, at: datetime, number: int) -> Letter:
    return letter(deliveries.ARRIVED, deliveries.DeliveriesArrived(workspace, number), at)


async def of(bus, workspace: UUID, within: tuple[date, date] = MARCH) -> list[analytics.Day]:
    return await bus.call(analytics.OF, analytics.AnalyticsOf(workspace, *within))


async def heard(service, letters: list[Letter], *, dice: random.Random) -> None:
    """In batches, and by two processes at once."""
    reactions = [Reactions(service.database, service.asked.reactions, service="feedback") for _ in range(2)]
    while letters:
        batches = [[letters.pop() for _ in range(dice.randint(1, 9)) if letters] for _ in reactions]
        await asyncio.gather(*(each.settle(batch) for each, batch in zip(reactions, batches, strict=True)))


async def test_everything_is_counted_by_the_utc_day_on_which_it_happened(bus, service):
    workspace, other = ids.new(), ids.new()
    letters = [
        message(workspace, EAST),
        message(workspace, MIDNIGHT),
        message(workspace, MIDNIGHT, voice="klu"),
        message(workspace, MIDNIGHT, voice="eval"),
        message(workspace, MIDNIGHT, voice="automation"),
        started(workspace, MIDNIGHT),
        created(workspace, MIDNIGHT - timedelta(microseconds=1)),
        created(other, MIDNIGHT),
        counted(workspace, date(2026, 3, 9), 98),
        counted(workspace, date(2026, 3, 9), 2),
        arrived(workspace, MIDNIGHT, 7),
        counted(workspace, date(2026, 4, 1), 5),
    ]
    await heard(service, letters, dice=random.Random(1))
    assert await of(bus, workspace) == [
        analytics.Day(date(2026, 3, 9), chat_messages=1, contacts_created=1, api_calls=100),
        analytics.Day(date(2026, 3, 10), chat_messages=2, automation_runs=1, webhooks_delivered=7),
    ]
    assert await of(bus, other) == [analytics.Day(date(2026, 3, 10), contacts_created=1)]


def anything(dice: random.Random, workspace: UUID) -> tuple[Letter, str, date, int]:
    """An event, and what it is to be counted as."""
    at, number = MIDNIGHT + timedelta(hours=dice.randint(-72, 72)), dice.randint(1, 9)
    made = [
        ("chat_messages", message(workspace, at), 1),
        ("automation_runs", started(workspace, at), 1),
        ("contacts_created", created(workspace, at), 1),
        ("api_calls", counted(workspace, at.date(), number), number),
        ("webhooks_delivered", arrived(workspace, at, number), number),
    ]
    figure, event, worth = dice.choice(made)
    return event, figure, at.date(), worth


@pytest.mark.parametrize("seed", range(8))
async def test_any_order_and_repetition_of_the_same_events_gives_the_same_figures(bus, service, seed):
    dice, homes = random.Random(seed), [ids.new() for _ in range(3)]
    letters: list[Letter] = []
    expected: Counter[tuple[UUID, date, str]] = Counter()
    for _ in range(dice.randint(20, 60)):
        workspace = dice.choice(homes)
        event, figure, day, worth = anything(dice, workspace)
        letters.append(event)
        expected[workspace, day, figure] += worth
    letters += [dice.choice(letters) for _ in range(30)]
    dice.shuffle(letters)
    await heard(service, letters, dice=dice)
    found: Counter[tuple[UUID, date, str]] = Counter()
    for workspace in homes:
        for day in await of(bus, workspace):
            figures = asdict(day)
            del figures["date"]
            found.update({(workspace, day.date, figure): number for figure, number in figures.items()})
    assert +found == expected


async def test_the_figures_of_a_deleted_workspace_go_with_it(bus, service):
    gone, kept, today = ids.new(), ids.new(), datetime.now(UTC).date()
    await state(bus, calls.COUNTED, *[calls.CallsCounted(each, today, 1) for each in (gone, kept)])

    async def figures(workspace: UUID) -> list[analytics.Day]:
        return await of(bus, workspace, (today, today))

    await eventually(lambda: figures(kept))
    await state(bus, workspaces.DELETED, workspaces.WorkspaceDeleted(gone))

    async def is_gone() -> bool:
        return not await figures(gone)

    await eventually(is_gone)
    assert [day.api_calls for day in await figures(kept)] == [1]
