"""Erasing: what is kept of a workspace goes in batches, however much it is."""

import pytest

from libs.contracts import ids, workspaces
from services.feedback.erasing import BATCH
from services.feedback.store import ratings
from services.feedback.store.ratings import Given
from tests.support.calling import state
from tests.support.waiting import eventually

pytestmark = pytest.mark.asyncio


async def test_more_runs_of_an_experiment_than_a_batch_holds_go_with_their_workspace(service, bus):
    gone, other, experiment = ids.new(), ids.new(), ids.new()
    async with service.database.transaction() as connection:
        for workspace, count in ((gone, BATCH + 1), (other, 1)):
            given = [Given(ids.new(), workspace, experiment, ids.new()) for _ in range(count)]
            await ratings.add(connection, given)
    await state(bus, workspaces.DELETED, workspaces.WorkspaceDeleted(gone))

    async def left() -> list[object] | None:
        rows = await service.database.fetch("SELECT DISTINCT workspace_id FROM variants")
        found = [row["workspace_id"] for row in rows]
        return None if gone in found else found

    assert await eventually(left) == [other]
