"""Erasures: what is heard to be no more is put down in one statement for a batch, and carried out step by step."""

from datetime import UTC, datetime, timedelta
from typing import TypeVar
from uuid import UUID

import pytest
import pytest_asyncio

from libs.bus import erased
from libs.bus.hear import Heard
from libs.contracts import ids, runs, workspaces
from libs.postgres.database import Connection, Database
from libs.postgres.erasures import Erasure, Erasures, Kind

pytestmark = pytest.mark.asyncio

F = TypeVar("F")

MOMENT = datetime(2026, 1, 1, tzinfo=UTC)
ONE, OTHER = ids.new(), ids.new()


def heard(*facts: F) -> list[Heard[F]]:
    return [Heard(ids.new(), MOMENT, fact) for fact in facts]


class Steps:
    """Writes down what it is to erase, and says that there is no more."""

    def __init__(self) -> None:
        self.seen: list[Erasure] = []

    async def __call__(self, _: Connection, erasure: Erasure) -> bool:
        self.seen.append(erasure)
        return False


@pytest_asyncio.fixture
async def clean(runner: Database) -> Database:
    await runner.execute("DELETE FROM erasures")
    return runner


async def carried_out(database: Database, kind: Kind) -> list[Erasure]:
    steps = Steps()
    erasures = Erasures(database, {kind: steps})
    while await erasures.step():
        pass
    return sorted(steps.seen, key=lambda erasure: erasure.id)


async def test_each_of_a_batch_is_erased_in_its_own_workspace(clean: Database):
    first, second, third = (ids.new() for _ in range(3))
    events = heard(runs.RunsErased(ONE, [first, second]), runs.RunsErased(OTHER, [third]), runs.RunsErased(ONE, []))
    async with clean.transaction() as connection:
        await erased.of_runs(connection, events)
    assert [(each.workspace_id, each.ids) for each in await carried_out(clean, Kind.RUNS)] == [
        (ONE, [first, second]),
        (OTHER, [third]),
        (ONE, []),
    ]


async def test_workspaces_that_are_heard_to_be_deleted_are_erased_whole(clean: Database):
    async with clean.transaction() as connection:
        await erased.of_workspaces(connection, heard(*map(workspaces.WorkspaceDeleted, (ONE, OTHER))))
    assert [each.workspace_id for each in await carried_out(clean, Kind.WORKSPACE)] == [ONE, OTHER]


async def test_a_workspace_that_expires_twice_in_a_batch_or_again_is_one_erasure_up_to_the_last_moment(clean: Database):
    later, last = MOMENT + timedelta(hours=1), MOMENT + timedelta(hours=2)
    for batch in ([(ONE, later), (ONE, MOMENT), (OTHER, MOMENT)], [(ONE, last), (OTHER, MOMENT - timedelta(hours=1))]):
        async with clean.transaction() as connection:
            await erased.of_expired(connection, heard(*(workspaces.WorkspaceExpired(*each) for each in batch)))
    found: dict[UUID, datetime | None] = {}
    for each in await carried_out(clean, Kind.EXPIRED):
        assert each.workspace_id not in found
        found[each.workspace_id] = each.before
    assert found == {ONE: last, OTHER: MOMENT}
