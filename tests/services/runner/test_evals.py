"""Datasets and evals: what may be in them, how answers are judged, and what a trial comes to."""

from uuid import UUID

import asyncpg
import pytest
from msgspec import structs

from libs.contracts import actions, datasets, evals, ids, models, runs, workspaces
from libs.contracts.datasets import CreateDataset, Dataset, GetDataset, UpdateDataset
from libs.contracts.evals import Contains, CreateEval, Exact, GetTrial, JsonSchema, Judge, Regex, StartTrial, Trial
from libs.contracts.faults import Code, Fault
from services.runner.store.runs import Row
from tests.services.runner.automating import facts
from tests.services.runner.conftest import Caller, eventually
from tests.support.calling import state
from tests.support.provider import Answer, Asked, refusal

pytestmark = pytest.mark.asyncio


async def fault(call) -> Fault:
    with pytest.raises(Fault) as caught:
        await call
    return caught.value


async def point(caller: Caller, action: actions.Action, question: str, output: str, **more) -> UUID:
    """A data point that was written by hand."""
    asked = runs.RecordRun(caller.workspace_id, action.id, {"question": question}, output, "klu", **more)
    return (await caller.bus.call(runs.RECORD, asked)).id


async def dataset(caller: Caller, *points: UUID) -> Dataset:
    return await caller.bus.call(datasets.CREATE, CreateDataset(caller.workspace_id, "Golden", run_ids=list(points)))


async def points_of(caller: Caller, id: UUID) -> set[UUID]:
    page = await caller.bus.call(runs.PAGE, runs.PageRuns(caller.workspace_id, dataset_id=id))
    return {run.id for run in page.items}


async def made(caller: Caller, action: actions.Action, *checks: evals.Check, **more) -> evals.Eval:
    return await caller.bus.call(
        evals.CREATE, CreateEval(caller.workspace_id, "Good?", action.id, list(checks), **more)
    )


async def tried(caller: Caller, of: evals.Eval) -> Trial:
    """A trial of it, once it is finished."""
    begun = await caller.bus.call(evals.START, StartTrial(caller.workspace_id, of.id))
    asked = GetTrial(caller.workspace_id, begun.id)
    return await eventually(
        lambda: caller.bus.call(evals.TRIAL, asked), lambda trial: trial.status is evals.Status.FINISHED, seconds=60
    )


async def rows(caller: Caller, trial: Trial) -> list[evals.Row]:
    return (await caller.bus.call(evals.ROWS, evals.PageRows(caller.workspace_id, trial.id))).items


def asked_for(asked: Asked) -> str:
    return asked.body["messages"][-1]["content"]


@pytest.fixture
def answering(upstream):
    """The model answers each question with what the test says."""

    def answer(told: dict[str, str | Answer]) -> None:
        def script(asked: Asked) -> Answer:
            found = next(reply for question, reply in told.items() if question in asked_for(asked))
            return found if isinstance(found, Answer) else Answer(pieces=(found,))

        upstream.script = script

    yield answer
    upstream.script = None


async def test_a_dataset_holds_data_points_once_and_those_of_its_workspace(caller, other):
    action, theirs = await caller.action(), await other.action()
    one, two = await point(caller, action, "1", "a"), await point(caller, action, "2", "b")
    found = await dataset(caller, one)
    change = UpdateDataset(caller.workspace_id, found.id, name="New", added=[one, two])
    assert (await caller.bus.call(datasets.UPDATE, change)).name == "New"
    assert await points_of(caller, found.id) == {one, two}
    stranger = UpdateDataset(caller.workspace_id, found.id, added=[await point(other, theirs, "3", "c")])
    assert (await fault(caller.bus.call(datasets.UPDATE, stranger))).code is Code.NOT_FOUND
    await caller.bus.call(datasets.UPDATE, UpdateDataset(caller.workspace_id, found.id, removed=[one]))
    assert await points_of(caller, found.id) == {two}
    await caller.bus.call(runs.DELETE, runs.GetRun(caller.workspace_id, two))
    assert await points_of(caller, found.id) == set()
    asked = GetDataset(caller.workspace_id, found.id)
    assert (await fault(other.bus.call(datasets.GET, GetDataset(other.workspace_id, found.id)))).code is Code.NOT_FOUND
    assert (await caller.bus.call(datasets.DELETE, asked)).name == "New"
    assert (await fault(caller.bus.call(datasets.GET, asked))).code is Code.NOT_FOUND


async def test_inputs_run_again_and_the_new_answers_are_judged(caller, answering):
    action = await caller.action("Answer: {{question}}")
    right, wrong = await point(caller, action, "2+2?", "4"), await point(caller, action, "3+3?", "6")
    told = await point(caller, action, "4+4?", "eight", metadata={"expected": "8"})
    answering({"2+2?": "4 ", "3+3?": "It is 7.", "4+4?": "8"})
    found = await dataset(caller, right, wrong, told)
    trial = await tried(caller, await made(caller, action, Exact(), Regex(r"^\d"), dataset_id=found.id))
    assert (trial.number, trial.total, trial.done, trial.rows) == (1, 3, 3, evals.Tally(2, 1, 0))
    assert trial.by_check == [evals.Tally(2, 1, 0, 2 / 3), evals.Tally(2, 1, 0, 2 / 3)]
    by_point = {row.point_id: row for row in await rows(caller, trial)}
    assert [by_point[id].passed for id in (right, wrong, told)] == [True, False, True]
    assert by_point[wrong].verdicts[0].reason
    answer = await caller.get(by_point[wrong].answer_id)
    assert (answer.output, answer.voice, answer.metadata["data_point"]) == ("It is 7.", "eval", str(wrong))


async def test_the_end_of_a_trial_is_stated_once_in_numbers(caller, databases):
    action = await caller.action()
    await point(caller, action, "1", "yes")
    await point(caller, action, "2", "no")
    trial = await tried(caller, await made(caller, action, Exact("yes"), alert_on_fail=True))
    connection = await asyncpg.connect(databases.dsn("runner"))
    rows = await connection.fetch("SELECT body FROM outbox WHERE subject = $1", evals.FINISHED.name)
    await connection.close()
    told = [fact for row in rows if (fact := evals.FINISHED.unpack(row["body"])).trial_id == trial.id]
    assert told == [evals.TrialFinished(caller.workspace_id, trial.id, trial.eval_id, 1, 2, 1, 1, 0, True)]


async def test_an_eval_whose_dataset_was_deleted_does_not_begin(caller):
    action, found = await caller.action(), await dataset(caller)
    of = await made(caller, action, Exact("x"), dataset_id=found.id)
    await caller.bus.call(datasets.DELETE, GetDataset(caller.workspace_id, found.id))
    refused = await fault(caller.bus.call(evals.START, StartTrial(caller.workspace_id, of.id)))
    assert (refused.code, "dataset" in refused.message) == (Code.NOT_FOUND, True)


async def test_a_version_is_tried_whatever_is_deployed(caller, answering):
    action = await caller.action("Old: {{question}}")
    await caller.bus.call(
        actions.UPDATE, actions.UpdateAction(caller.workspace_id, action.id, prompt="New: {{question}}")
    )
    found = await dataset(caller, await point(caller, action, "x", "old"))
    answering({"Old: x": "old", "New: x": "new"})
    old = await tried(caller, await made(caller, action, Exact(), dataset_id=found.id, number=1))
    new = await tried(caller, await made(caller, action, Exact(), dataset_id=found.id))
    assert (old.version, old.rows.passed, new.version, new.rows.failed) == (1, 1, None, 1)


async def test_stored_answers_are_judged_as_they_are(caller, upstream):
    action, before = await caller.action(), len(upstream.asked)
    good = await point(caller, action, "1", '```json\n{"city": "Paris"}\n```')
    bad = await point(caller, action, "2", "Paris")
    schema = {"type": "object", "required": ["city"]}
    found = await dataset(caller, good, bad)
    of = await made(
        caller, action, JsonSchema(schema), Contains("paris", ignore_case=True), dataset_id=found.id, rerun=False
    )
    trial = await tried(caller, of)
    assert (trial.rows, [tally.passed for tally in trial.by_check]) == (evals.Tally(1, 1, 0), [1, 2])
    assert {row.answer_id for row in await rows(caller, trial)} == {good, bad}
    assert len(upstream.asked) == before


async def test_without_a_dataset_the_actions_own_data_points_are_judged(caller):
    action = await caller.action()
    for place in range(3):
        await point(caller, action, str(place), "yes" if place else "no")
    trial = await tried(caller, await made(caller, action, Exact("yes")))
    assert (trial.total, trial.rows) == (3, evals.Tally(2, 1, 0))
    unsure = await tried(caller, await made(caller, action, Exact()))
    assert unsure.rows == evals.Tally(0, 0, 3)
    assert "nothing to compare" in (await rows(caller, unsure))[0].verdicts[0].reason


async def test_a_sample_is_a_share_of_the_data_points(caller):
    action = await caller.action()
    for place in range(60):
        await point(caller, action, str(place), "yes")
    trial = await tried(caller, await made(caller, action, Exact("yes"), sampling=0.5))
    assert 12 <= trial.total == trial.rows.passed <= 48


async def test_a_judge_is_asked_and_its_score_weighed(caller, upstream, answering):
    action = await caller.action("Q: {{question}}")
    kind, rude = await point(caller, action, "hello?", "Hi!"), await point(caller, action, "bye?", "Go away.")
    odd = await point(caller, action, "why?", "???")
    answering(
        {"Hi!": '{"score": 0.9, "reason": "Kind."}', "Go away.": '{"score": 0.1, "reason": "Rude."}', "???": "Well"}
    )
    upstream.asked.clear()
    judge = Judge("The answer is kind.", threshold=0.6)
    trial = await tried(caller, await made(caller, action, Contains("!"), judge, rerun=False))
    by_point = {row.point_id: row for row in await rows(caller, trial)}
    assert by_point[kind].verdicts[1] == evals.Verdict(True, 0.9, "Kind.")
    assert by_point[rude].verdicts[1] == evals.Verdict(False, 0.1, "Rude.")
    assert (by_point[odd].passed, by_point[odd].verdicts[1].passed) == (False, None)
    assert trial.rows == evals.Tally(1, 2, 0)
    assert trial.by_check[1] == evals.Tally(1, 1, 1, 0.5)
    body = upstream.asked[0].body
    assert (body["response_format"]["type"], body["max_tokens"]) == ("json_schema", 2048)
    assert all(part in asked_for(upstream.asked[0]) for part in ("The answer is kind.", "Answer:"))


async def test_a_judge_that_can_not_be_asked_keeps_no_other_check_from_its_verdict(caller, upstream, answering):
    action = await caller.action()
    await point(caller, action, "hello?", "Hi!")
    answering({"Hi!": '{"score": 0.9, "reason": "Kind."}'})
    gone = models.CreateModel(caller.workspace_id, "other", "openai", url=upstream.openai_url)
    model = await caller.bus.call(models.CREATE, gone)
    checks = (Judge("Kind."), Judge("Kind.", model_id=model.id), Contains("!"))
    of = await made(caller, action, *checks, rerun=False)
    await caller.bus.call(models.DELETE, models.GetModel(caller.workspace_id, model.id))
    [row] = await rows(caller, await tried(caller, of))
    assert [verdict.passed for verdict in row.verdicts] == [True, None, True]
    assert str(model.id) in row.verdicts[1].reason
    await caller.bus.call(runs.DELETE, runs.GetRun(caller.workspace_id, row.point_id))
    assert (await caller.bus.call(runs.PAGE, runs.PageRuns(caller.workspace_id))).items == [], "the judge's as well"


async def test_what_a_judge_says_is_kept_as_postgres_takes_it(caller, answering):
    action = await caller.action()
    await point(caller, action, "hello?", '"a\\u0000b"')
    answering({"hello?": r'{"score": 0.9, "reason": "Kind\u0000."}'})
    of = await made(caller, action, Judge("Kind."), JsonSchema({"type": "integer"}), rerun=False)
    [row] = await rows(caller, await tried(caller, of))
    assert row.verdicts[0] == evals.Verdict(True, 0.9, "Kind\ufffd.")
    assert "integer" in row.verdicts[1].reason


async def test_what_a_data_point_expects_may_be_any_json(caller):
    action = await caller.action()
    await point(caller, action, "1", "true", metadata={"expected": True})
    await point(caller, action, "2", '{"a":[1]}', metadata={"expected": {"a": [1]}})
    trial = await tried(caller, await made(caller, action, Exact()))
    assert trial.rows == evals.Tally(2, 0, 0)


async def test_a_pattern_that_would_take_for_ever_is_no_verdict(caller):
    action = await caller.action()
    await point(caller, action, "1", "a" * 40 + "!")
    trial = await tried(caller, await made(caller, action, Regex(r"^(a+)+$"), Contains("!")))
    [row] = await rows(caller, trial)
    assert (row.passed, [verdict.passed for verdict in row.verdicts]) == (None, [None, True])
    assert "too long" in row.verdicts[0].reason


async def test_a_run_that_fails_is_an_error_of_its_row(caller, answering):
    action = await caller.action()
    found = await dataset(caller, await point(caller, action, "bad", "x"), await point(caller, action, "fine", "ok"))
    answering({"bad": refusal(400, "no such thing"), "fine": "ok"})
    trial = await tried(caller, await made(caller, action, Exact(), dataset_id=found.id))
    assert trial.rows == evals.Tally(1, 0, 1)
    reasons = {verdict.reason for row in await rows(caller, trial) for verdict in row.verdicts}
    assert any("no such thing" in reason for reason in reasons)


async def test_rows_are_told_in_the_order_of_the_data_points(caller):
    action = await caller.action()
    points = [await point(caller, action, f"{place}?", "yes", metadata={"expected": "yes"}) for place in range(12)]
    found = await dataset(caller, *reversed(points))
    trial = await tried(caller, await made(caller, action, Exact(), dataset_id=found.id, rerun=False))
    assert [row.point_id for row in await rows(caller, trial)] == sorted(points)


async def test_a_trial_of_nothing_is_finished(caller):
    action, found = await caller.action(), await dataset(caller)
    trial = await tried(caller, await made(caller, action, Exact("x"), dataset_id=found.id))
    assert (trial.total, trial.rows, trial.by_check) == (0, evals.Tally(), [])


async def test_deleting_a_data_point_deletes_what_was_tried_with_it_and_keeps_the_numbers(caller, answering):
    action = await caller.action()
    one, two = await point(caller, action, "secret", "a"), await point(caller, action, "other", "b")
    answering({"secret": "a", "other": "b"})
    found = await dataset(caller, one, two)
    trial = await tried(caller, await made(caller, action, Exact(), dataset_id=found.id))
    answer = next(row.answer_id for row in await rows(caller, trial) if row.point_id == one)
    await caller.bus.call(runs.DELETE, runs.GetRun(caller.workspace_id, one))
    assert (await fault(caller.get(answer))).code is Code.NOT_FOUND
    assert [row.point_id for row in await rows(caller, trial)] == [two]
    asked = GetTrial(caller.workspace_id, trial.id)
    assert await caller.bus.call(evals.TRIAL, asked) == trial


async def test_a_data_point_that_was_tried_thousands_of_times_goes_with_all_of_it(caller, databases):
    action = await caller.action()
    id = await point(caller, action, "secret", "a")
    await tried(caller, await made(caller, action, Exact("a"), rerun=False))
    tries = [ids.new() for _ in range(4000)]
    columns = ", ".join(field.name for field in structs.fields(Row) if field.name != "id")
    connection = await asyncpg.connect(databases.dsn("runner"))
    await connection.execute(
        f"INSERT INTO runs (id, {columns}) SELECT given, {columns} FROM runs, unnest($1::uuid[]) given WHERE id = $2",
        tries,
        id,
    )
    await connection.execute("UPDATE trial_rows SET run_ids = $1 WHERE point_id = $2", tries, id)
    await caller.bus.call(runs.DELETE, runs.GetRun(caller.workspace_id, id))
    left = await connection.fetchval("SELECT count(*) FROM runs WHERE workspace_id = $1", caller.workspace_id)
    await connection.close()
    assert left == 0
    told = await facts(databases, runs.ERASED, caller.workspace_id)
    assert {each for fact in told for each in fact.run_ids} == {id, *tries}


async def test_with_a_workspace_go_its_datasets_evals_and_experiments(caller, databases):
    action = await caller.action()
    one = await point(caller, action, "1", "yes")
    found = await dataset(caller, one)
    of = await made(caller, action, Exact("yes"), dataset_id=found.id, rerun=False)
    trial = await tried(caller, of)
    await state(caller.bus, workspaces.DELETED, workspaces.WorkspaceDeleted(caller.workspace_id))

    async def left() -> list[bool]:
        asked = [
            (datasets.GET, GetDataset(caller.workspace_id, found.id)),
            (evals.GET, evals.GetEval(caller.workspace_id, of.id)),
            (evals.TRIAL, GetTrial(caller.workspace_id, trial.id)),
        ]
        return [await there(caller, *question) for question in asked]

    assert await eventually(left, lambda found: not any(found)) == [False] * 3


async def there(caller, rpc, question) -> bool:
    try:
        await caller.bus.call(rpc, question)
    except Fault:
        return False
    return True


@pytest.mark.parametrize(
    ("checks", "more", "code", "field"),
    [
        ([], {}, Code.INVALID, "eval_types"),
        ([Regex("(")], {}, Code.INVALID, "eval_types[0].pattern"),
        ([Exact("x"), JsonSchema({"type": 7})], {}, Code.INVALID, "eval_types[1].schema"),
        ([Judge(" ")], {}, Code.INVALID, "eval_types[0].criteria"),
        ([Judge("kind", threshold=7)], {}, Code.INVALID, "eval_types[0].threshold"),
        ([Judge("kind", model_id=ids.new())], {}, Code.NOT_FOUND, None),
        ([Exact("x")], {"dataset_id": ids.new()}, Code.NOT_FOUND, None),
        ([Exact("x")], {"number": 9}, Code.NOT_FOUND, None),
        ([Exact("x")], {"sampling": 0.0}, Code.INVALID, "sampling_rate"),
    ],
)
async def test_what_nothing_could_be_judged_by_is_refused(caller, checks, more, code, field):
    refused = await fault(made(caller, await caller.action(), *checks, **more))
    assert (refused.code, refused.field) == (code, field)


async def test_an_eval_is_changed_and_its_trials_are_listed(caller, other):
    action, another = await caller.action(), await caller.action()
    of = await made(caller, action, Exact("x"), number=1)
    change = evals.UpdateEval(caller.workspace_id, of.id, name="New", action_id=another.id, checks=[Contains("y")])
    changed = await caller.bus.call(evals.UPDATE, change)
    assert (changed.name, changed.action_id, changed.version, changed.checks) == (
        "New",
        another.id,
        None,
        [Contains("y")],
    )
    first, second = await tried(caller, changed), await tried(caller, changed)
    page = await caller.bus.call(evals.TRIALS, evals.PageTrials(caller.workspace_id, of.id))
    assert [trial.id for trial in page.items] == [second.id, first.id]
    assert (await fault(caller.bus.call(evals.TRIAL, GetTrial(other.workspace_id, first.id)))).code is Code.NOT_FOUND
    begun = StartTrial(caller.workspace_id, of.id, id=ids.new())
    same = [await caller.bus.call(evals.START, begun) for _ in range(2)]
    assert (same[0].id, same[0].number) == (same[1].id, same[1].number) == (begun.id, 3)
    assert (await caller.bus.call(evals.DELETE, evals.GetEval(caller.workspace_id, of.id))).id == of.id
    assert (await fault(caller.bus.call(evals.TRIAL, GetTrial(caller.workspace_id, first.id)))).code is Code.NOT_FOUND
