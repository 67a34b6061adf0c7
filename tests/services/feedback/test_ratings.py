"""Ratings of experiments' runs: whose they are, which count, and how sure a share is."""

from datetime import UTC, datetime
from uuid import UUID

import pytest

from libs.contracts import feedback, ids, runs
from libs.contracts.feedback import CreateFeedback, RatingsOf
from services.feedback.ratings import rated
from tests.support.calling import state
from tests.support.waiting import eventually

pytestmark = [pytest.mark.asyncio, pytest.mark.usefixtures("service")]


def finished(workspace: UUID, run_id: UUID, experiment: UUID, variant: UUID) -> runs.RunFinished:
    return runs.RunFinished(
        workspace,
        run_id,
        ids.new(),
        runs.Status.SUCCEEDED,
        runs.Mode.BLOCKING,
        "klu",
        "m",
        "p",
        runs.Usage(),
        datetime.now(UTC),
        experiment=str(experiment),
        variant_id=variant,
    )


async def counted(bus, workspace: UUID, experiment: UUID, until: int) -> dict[UUID, tuple[int, int]]:
    """The negative and positive ones of each variant, once they are so many."""

    async def found() -> dict[UUID, tuple[int, int]] | None:
        rated = await bus.call(feedback.RATINGS, RatingsOf(workspace, experiment))
        counts = {one.variant_id: (one.negative, one.positive) for one in rated}
        return counts if sum(map(sum, counts.values())) == until else None

    return await eventually(found)


async def test_each_run_counts_once_as_it_was_rated_last(bus, run_of):
    workspace, experiment, good, bad = ids.new(), ids.new(), ids.new(), ids.new()
    first, second, third = [await run_of(workspace) for _ in range(3)]
    for run_id, value in ((first, 1), (first, 2), (second, "2"), (third, 1)):
        await bus.call(feedback.CREATE, CreateFeedback(workspace, run_id, "rating", value))
    await bus.call(feedback.CREATE, CreateFeedback(workspace, third, "issue", "slow"))
    await state(
        bus,
        runs.FINISHED,
        finished(workspace, first, experiment, good),
        finished(workspace, second, experiment, good),
        finished(workspace, third, experiment, bad),
        finished(workspace, third, experiment, bad),
    )
    assert await counted(bus, workspace, experiment, until=3) == {good: (0, 2), bad: (1, 0)}
    assert await bus.call(feedback.RATINGS, RatingsOf(ids.new(), experiment)) == []
    await state(bus, runs.ERASED, runs.RunsErased(workspace, [first]))
    assert await counted(bus, workspace, experiment, until=2) == {good: (0, 1), bad: (1, 0)}


@pytest.mark.parametrize(
    ("negative", "positive", "low", "high"),
    [(0, 1, 0.2065, 1.0), (1, 0, 0.0, 0.7935), (5, 5, 0.2366, 0.7634), (10, 90, 0.8256, 0.9448), (0, 50, 0.9287, 1.0)],
)
async def test_a_share_lies_within_wilson_s_interval(negative, positive, low, high):
    found = rated(ids.new(), negative, positive)
    assert found.share == positive / (negative + positive)
    assert (found.low, found.high) == (pytest.approx(low, abs=1e-4), pytest.approx(high, abs=1e-4))
