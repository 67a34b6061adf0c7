"""A runner is killed in the midst of a trial: its rows are taken up by another, nothing is lost or counted twice."""

import asyncio

import asyncpg
import pytest

from libs.contracts import datasets, evals, runs
from libs.contracts.evals import Exact, GetTrial, StartTrial
from tests.services.runner.conftest import Caller, eventually
from tests.support.processes import process
from tests.support.provider import Answer
from tests.support.services import running
from tests.support.waiting import until

pytestmark = [pytest.mark.asyncio, pytest.mark.slow]

POINTS = 30


async def test_a_killed_runner_loses_no_row_and_counts_none_twice(nats_url, databases, upstream, bus):
    model = {"default_model_url": upstream.openai_url, "default_model_name": "small"}
    upstream.script = lambda asked: Answer(pieces=(asked.body["messages"][-1]["content"],), first=0.3)
    async with process("runner", nats_url, databases, **model) as doomed:
        caller = Caller(bus)
        action = await caller.action("{{question}}")
        points = []
        for place in range(POINTS):
            asked = runs.RecordRun(caller.workspace_id, action.id, {"question": f"q{place}"}, f"q{place}", "klu")
            points.append((await bus.call(runs.RECORD, asked)).id)
        made = datasets.CreateDataset(caller.workspace_id, "All", run_ids=points)
        found = await bus.call(datasets.CREATE, made)
        of = await bus.call(
            evals.CREATE,
            evals.CreateEval(caller.workspace_id, "Same?", action.id, [Exact()], dataset_id=found.id),
        )
        trial = await bus.call(evals.START, StartTrial(caller.workspace_id, of.id))
        await until(lambda: len(upstream.asked) >= 12)
        async with running("runner", nats_url, databases, **model):
            await doomed.kill()
            asked = GetTrial(caller.workspace_id, trial.id)
            ended = await eventually(
                lambda: bus.call(evals.TRIAL, asked, timeout=20),
                lambda trial: trial.status is evals.Status.FINISHED,
                seconds=90,
            )
            await asyncio.sleep(0.5)
    assert (ended.total, ended.done, ended.rows) == (POINTS, POINTS, evals.Tally(POINTS, 0, 0))
    connection = await asyncpg.connect(databases.dsn("runner"))
    answers = await connection.fetchval("SELECT count(*) FROM runs WHERE voice = 'eval'")
    rows = await connection.fetch("SELECT body FROM outbox WHERE subject = $1", runs.FINISHED.name)
    await connection.close()
    told = [fact.run_id for row in rows if (fact := runs.FINISHED.unpack(row["body"])).voice == "eval"]
    assert answers == len(told) == len(set(told)) == POINTS
