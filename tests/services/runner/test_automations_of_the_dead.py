"""A runner is killed in the midst of automations' runs: another goes on where they were, and no step is done twice."""

import asyncio
from collections import Counter

import pytest

from libs.contracts import automation_runs, automations, errands, runs
from libs.contracts.automation_runs import RunStatus
from libs.contracts.automation_steps import HttpRequest, Notify, RunAction, Step, Wait
from libs.contracts.automations import Schedule
from tests.services.runner.automating import ended, facts, make, runs_of, trigger
from tests.services.runner.conftest import Caller, eventually
from tests.support.processes import process
from tests.support.provider import Answer
from tests.support.receiver import receiver
from tests.support.services import running
from tests.support.waiting import until

pytestmark = [pytest.mark.asyncio, pytest.mark.slow]

RUNS = 12


async def test_a_killed_runner_leaves_its_runs_where_they_were(nats_url, databases, upstream, bus):
    model = {"default_model_url": upstream.openai_url, "default_model_name": "small"}
    upstream.script = lambda asked: Answer(pieces=("Good.",), first=0.2)
    caller, gate = Caller(bus), asyncio.Event()
    async with receiver() as hook, process("runner", nats_url, databases, **model) as doomed:
        hook.answer(gate=gate, times=RUNS)
        action = await caller.action("{{question}}")
        made = await make(
            caller,
            Step(RunAction(action.id, {"question": "{{ trigger.n }}"}), "ask"),
            HttpRequest(hook.url, body={"said": "{{ steps.ask.answer }}"}),
            Wait(0.5),
            Notify("{{ trigger.n }}"),
        )
        begun = [await trigger(caller, made, n=place) for place in range(RUNS)]
        await until(lambda: len(hook.received) >= 3)
        async with running("runner", nats_url, databases, **model):
            await doomed.kill()
            gate.set()
            done = await asyncio.gather(*(ended(caller, run, seconds=90) for run in begun))
    assert {run.status for run in done} == {RunStatus.COMPLETED}
    assert {run.steps_run for run in done} == {4}
    keys = Counter(received.headers["Idempotency-Key"] for received in hook.received)
    assert len(keys) == RUNS
    assert max(keys.values()) == 2, "a request that was under way is made again, under the key that it had"
    asked = {step.action_run_id for run in done for step in run.steps if step.action_run_id}
    generations = await facts(databases, runs.FINISHED, caller.workspace_id)
    assert Counter(fact.run_id for fact in generations) == Counter(asked), "each action ran once"
    notices = await facts(databases, errands.NOTICE_ASKED, caller.workspace_id)
    assert sorted(int(notice.title) for notice in notices) == list(range(RUNS))
    over = await facts(databases, automation_runs.COMPLETED, caller.workspace_id)
    assert sorted(fact.run_id for fact in over) == sorted(run.id for run in begun)


async def test_several_runners_keep_a_schedule_as_one(nats_url, databases, upstream, bus):
    model = {"default_model_url": upstream.openai_url, "default_model_name": "small"}
    async with running("runner", nats_url, databases, **model), process("runner", nats_url, databases, **model):
        caller = Caller(bus)
        made = await make(caller, Notify("Now"), trigger=Schedule("* * * * * *"))
        await eventually(lambda: runs_of(caller, made), lambda runs: len(runs) >= 3)
        paused = automations.UpdateAutomation(caller.workspace_id, made.id, status=automations.Status.PAUSED)
        await caller.bus.call(automations.UPDATE, paused)
        found = await runs_of(caller, made)
        times = [run.payload["scheduled_at"] for run in found]
        assert len(times) == len(set(times)) >= 2
        await eventually(
            lambda: runs_of(caller, made), lambda runs: all(run.status is RunStatus.COMPLETED for run in runs)
        )
