"""Experiments: who is given which variant, what may be one, and what the variants came to."""

from collections import Counter
from datetime import UTC, datetime
from uuid import UUID

import pytest
from msgspec.structs import replace

from libs.contracts import actions, apps, experiments, ids, runs
from libs.contracts.experiments import Experiment, Status, UpdateExperiment, Variant, Wanted
from libs.contracts.faults import Code, Fault
from libs.contracts.runs import Mode, Run
from services.runner.variants import draw
from tests.support.provider import Answer, refusal

pytestmark = pytest.mark.asyncio


async def fault(call) -> Fault:
    with pytest.raises(Fault) as caught:
        await call
    return caught.value


def weighed(*weights: float) -> Experiment:
    now = datetime.now(UTC)
    variants = [Variant(UUID(int=n), UUID(int=n), None, None, weight) for n, weight in enumerate(weights, 1)]
    return Experiment(UUID(int=9), UUID(int=8), None, "x", Status.RUNNING, variants, None, now, now)


def given(experiment: Experiment, people: int = 20_000) -> list[UUID]:
    return [draw(experiment, b"user %d" % n).id for n in range(people)]


@pytest.mark.parametrize("weights", [(1, 1), (3, 1), (0.2, 0.3, 0.5), (1, 1, 1, 97)])
async def test_variants_are_drawn_by_their_weights(weights):
    experiment = weighed(*weights)
    drawn, whole = Counter(given(experiment)), sum(weights)
    for variant in experiment.variants:
        assert abs(drawn[variant.id] / 20_000 - variant.weight / whole) < 0.015


async def test_a_new_variant_takes_only_those_that_it_gets():
    two, three = weighed(1, 1), weighed(1, 1, 1)
    new = three.variants[2].id
    moved = [(before, after) for before, after in zip(given(two), given(three), strict=True) if before != after]
    assert {after for _, after in moved} == {new}
    assert 0.3 < len(moved) / 20_000 < 0.37


async def drawn(caller, experiment: Experiment, **more) -> Run:
    asked = runs.StartRun(caller.workspace_id, ids.new(), ids.NONE, "Why?", "klu", experiment=str(experiment.id))
    return await caller.bus.call(runs.START, replace(asked, **more))


async def test_a_session_and_an_end_user_keep_their_variant(caller):
    first, second = await caller.action("1 {{question}}"), await caller.action("2 {{question}}")
    experiment = await caller.experiment(first, second)
    seen = set()
    for user in range(12):
        of_user = {(await drawn(caller, experiment, end_user=f"user {user}")).action_id for _ in range(2)}
        assert len(of_user) == 1
        seen |= of_user
    assert seen == {first.id, second.id}
    session = await caller.session()
    of_session = {(await drawn(caller, experiment, session_id=session.id)).action_id for _ in range(4)}
    assert len(of_session) == 1
    run = await drawn(caller, experiment)
    assert run.experiment == str(experiment.id)
    assert {run.variant_id} <= {variant.id for variant in experiment.variants}


async def test_versions_of_one_action_are_variants(caller):
    action = await caller.action("Old {{question}}")
    await caller.bus.call(actions.UPDATE, actions.UpdateAction(caller.workspace_id, action.id, prompt="New"))
    wanted = [Wanted(action.id, number=1), Wanted(action.id, number=2)]
    experiment = await caller.experiment(*wanted)
    assert [variant.version for variant in experiment.variants] == [1, 2]
    versions = {(await drawn(caller, experiment, end_user=str(n))).action_version for n in range(12)}
    assert versions == {1, 2}


async def test_an_asynchronous_run_keeps_the_variant_that_it_was_accepted_with(caller):
    first, second = await caller.action("1"), await caller.action("2")
    experiment = await caller.experiment(first, second)
    accepted = await drawn(caller, experiment, mode=Mode.ASYNC)
    run = await caller.ended(accepted.id)
    assert (run.action_id, run.variant_id) == (accepted.action_id, accepted.variant_id)
    assert run.experiment == str(experiment.id)


async def test_a_variant_can_be_forced_and_what_is_none_is_refused(caller, other):
    first, second, third = await caller.action("1"), await caller.action("2"), await caller.action("3")
    experiment = await caller.experiment(first, second)
    for action in (first, second):
        assert (await drawn(caller, experiment, action_id=action.id, forced=True)).action_id == action.id
    none = await fault(drawn(caller, experiment, action_id=third.id))
    assert (none.code, none.field) == (Code.INVALID, "action")
    unknown = await fault(caller.run(first, experiment=str(ids.new())))
    assert (unknown.code, unknown.field) == (Code.NOT_FOUND, "experiment")
    assert (await fault(drawn(other, experiment))).code is Code.NOT_FOUND


async def test_a_stopped_experiment_answers_with_its_first_variant_and_counts_nothing(caller):
    first, second = await caller.action("1"), await caller.action("2")
    experiment = await caller.experiment(first, second)
    stop = UpdateExperiment(caller.workspace_id, experiment.id, status=Status.STOPPED)
    assert (await caller.bus.call(experiments.UPDATE, stop)).status is Status.STOPPED
    found = [await drawn(caller, experiment, end_user=str(n)) for n in range(6)]
    assert {(run.action_id, run.experiment, run.variant_id) for run in found} == {(first.id, None, None)}
    asked = experiments.GetExperiment(caller.workspace_id, experiment.id)
    assert (await caller.bus.call(experiments.RESULTS, asked)).results == []


@pytest.mark.parametrize(
    ("wanted", "code"),
    [
        (lambda action: [Wanted(action)], Code.INVALID),
        (lambda action: [Wanted(action), Wanted(action)], Code.INVALID),
        (lambda action: [Wanted(action), Wanted(action, number=1, weight=0)], Code.INVALID),
        (lambda action: [Wanted(action), Wanted(action, number=7)], Code.NOT_FOUND),
        (lambda action: [Wanted(action), Wanted(ids.new())], Code.NOT_FOUND),
    ],
)
async def test_what_is_no_experiment_is_refused(caller, wanted, code):
    action = await caller.action()
    assert (await fault(caller.experiment(*wanted(action.id)))).code is code


async def test_an_experiment_is_changed_and_deleted(caller):
    first, second, third = await caller.action("1"), await caller.action("2"), await caller.action("3")
    experiment = await caller.experiment(first, second)
    change = UpdateExperiment(
        caller.workspace_id, experiment.id, name="New", variants=[Wanted(first.id, weight=2), Wanted(third.id)]
    )
    changed = await caller.bus.call(experiments.UPDATE, change)
    assert (changed.name, [one.action_id for one in changed.variants]) == ("New", [first.id, third.id])
    assert changed.variants[0].id == experiment.variants[0].id
    asked = experiments.GetExperiment(caller.workspace_id, experiment.id)
    page = await caller.bus.call(experiments.PAGE, experiments.PageExperiments(caller.workspace_id))
    assert page.items == [changed]
    assert await caller.bus.call(experiments.DELETE, asked) == changed
    assert (await fault(caller.bus.call(experiments.GET, asked))).code is Code.NOT_FOUND
    assert (await fault(drawn(caller, experiment))).code is Code.NOT_FOUND


async def test_results_count_each_variant_s_runs(caller, upstream):
    first, second = await caller.action("1"), await caller.action("2")
    experiment = await caller.experiment(first, second)
    upstream.plays(Answer(usage=(10, 1)), Answer(usage=(20, 2), first=0.05), refusal(400, "no"))
    for _ in range(2):
        await drawn(caller, experiment, action_id=first.id, forced=True)
    await drawn(caller, experiment, action_id=second.id, forced=True)
    found = await caller.bus.call(experiments.RESULTS, experiments.GetExperiment(caller.workspace_id, experiment.id))
    one, two = sorted(found.results, key=lambda result: result.action_id != first.id)
    assert (one.runs, one.succeeded, one.failed, one.prompt_tokens, one.completion_tokens) == (2, 2, 0, 30, 3)
    assert one.latency_p95 > one.latency_p50 > 0
    assert one.latency_p50 == pytest.approx(one.latency_mean)
    assert (two.runs, two.succeeded, two.failed, two.latency_mean, two.prompt_tokens) == (1, 0, 1, None, 0)


async def test_an_app_that_is_not_there_is_no_experiment_s(caller, other):
    action, theirs = await caller.action(), await other.action()
    asked = experiments.CreateExperiment(
        caller.workspace_id, "x", [Wanted(action.id), Wanted(action.id, number=1)], app_id=theirs.app_id
    )
    assert (await fault(caller.bus.call(experiments.CREATE, asked))).code is Code.NOT_FOUND
    assert (await caller.bus.call(apps.PAGE, apps.PageApps(caller.workspace_id))).total == 1
