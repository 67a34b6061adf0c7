"""A step's end, and what follows from it: the next step's turn, or the end of the run.

The rule: a step's outcome, the facts that come with it, and whose turn it is next are one transaction of its holder's.
"""

from libs.contracts import automation_runs
from libs.contracts.automation_runs import RunFinished, RunStatus
from libs.contracts.faults import Failure, Fault
from libs.postgres import outbox, text
from libs.postgres.database import Connection, Database
from services.runner import metrics
from services.runner.automations.beginning import TOPIC
from services.runner.automations.steps import Came
from services.runner.storable import storable
from services.runner.store import automation_runs as stored_runs
from services.runner.store import automation_steps
from services.runner.store import automations as stored
from services.runner.store.automation_steps import Claimed

# Events outlive what they tell of, and why a step failed may repeat what a server said.
_SAID_THERE = "The steps of its run say why."


async def complete(database: Database, step: Claimed, holder: str, came: Came) -> None:
    """The step has come to something."""
    output = text.clean(came.output)
    async with database.transaction() as connection:
        await stored_runs.lock(connection, step.run_id)
        if not await automation_steps.end(connection, step, holder, output=output):
            return
        await stored_runs.count_step(connection, step.run_id)
        for stated in came.facts:
            await outbox.state(connection, stated.event, [stated.fact])
        if came.skip != 0:
            await automation_steps.skip(connection, step.run_id, after=step.position, count=came.skip)
        ended = not await automation_steps.begin_next(connection, step.run_id)
        if ended:
            await _end_run(connection, step, RunStatus.COMPLETED, None)
        connection.wake_after(TOPIC)
    if ended:
        metrics.AUTOMATION_RUNS.labels(RunStatus.COMPLETED).inc()


async def fail(database: Database, step: Claimed, holder: str, fault: Fault) -> None:
    """With it the run fails, and what was to come after it is left out."""
    failure = storable(fault.failure())
    async with database.transaction() as connection:
        await stored_runs.lock(connection, step.run_id)
        if not await automation_steps.end(connection, step, holder, failure=failure):
            return
        await automation_steps.skip(connection, step.run_id, after=step.position)
        await _end_run(connection, step, RunStatus.FAILED, failure)
    metrics.AUTOMATION_RUNS.labels(RunStatus.FAILED).inc()


async def _end_run(connection: Connection, step: Claimed, status: RunStatus, failure: Failure | None) -> None:
    ended = await stored_runs.end(connection, step.run_id, status, failure)
    if ended is None:
        return
    await stored.ran(connection, step.automation_id, ended.created_at)
    event = automation_runs.COMPLETED if status is RunStatus.COMPLETED else automation_runs.FAILED
    told = failure and Failure(failure.code, _SAID_THERE, failure.field)
    await outbox.state(connection, event, [_finished(step, status, ended, told)])


def _finished(step: Claimed, status: RunStatus, ended: stored_runs.Ended, failure: Failure | None) -> RunFinished:
    return RunFinished(
        workspace_id=ended.workspace_id,
        run_id=step.run_id,
        automation_id=ended.automation_id,
        automation_name=ended.automation_name,
        status=status,
        steps_run=ended.steps_run,
        duration_ms=round((ended.finished_at - ended.created_at).total_seconds() * 1000, 3),
        contact_id=ended.contact_id,
        failure=failure,
        chain=ended.chain,
    )
