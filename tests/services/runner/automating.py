"""Automations as a test makes them, and what becomes of their runs: what the tests of automations share."""

from collections.abc import Awaitable
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from libs.contracts import automation_runs, automations
from libs.contracts.automation_runs import Run, RunStatus
from libs.contracts.automation_steps import HttpRequest, Kind, Step
from libs.contracts.automations import Automation, CreateAutomation, GetAutomation, Status
from libs.contracts.faults import Failure, Fault
from libs.contracts.subjects import Event
from tests.services.runner.conftest import Caller, eventually
from tests.support.servers import Databases


async def fault(call: Awaitable[Any]) -> Fault:
    """Why it was refused."""
    with pytest.raises(Fault) as caught:
        await call
    return caught.value


def get(caller: Caller, id: UUID) -> GetAutomation:
    return GetAutomation(caller.workspace_id, id)


async def make(caller: Caller, *steps: Kind | Step, **more: Any) -> Automation:
    """An active one."""
    named = [step if isinstance(step, Step) else Step(step) for step in steps]
    more = {"status": Status.ACTIVE} | more
    return await caller.bus.call(automations.CREATE, CreateAutomation(caller.workspace_id, "Follow up", named, **more))


async def trigger(caller: Caller, of: Automation, **payload: Any) -> Run:
    return await caller.bus.call(
        automation_runs.TRIGGER, automation_runs.TriggerAutomation(caller.workspace_id, of.id, payload)
    )


async def told(caller: Caller, run_id: UUID) -> Run:
    return await caller.bus.call(automation_runs.GET, automation_runs.GetRun(caller.workspace_id, run_id))


async def ended(caller: Caller, run: Run, *, seconds: float = 60.0) -> Run:
    """The run once it is over, with its steps."""
    return await eventually(
        lambda: told(caller, run.id), lambda run: run.status is not RunStatus.RUNNING, seconds=seconds
    )


async def ran(caller: Caller, of: Automation, **payload: Any) -> Run:
    return await ended(caller, await trigger(caller, of, **payload))


def failure_of(run: Run) -> Failure:
    assert run.failure is not None
    return run.failure


def headers_of(step: Step) -> dict[str, str]:
    assert isinstance(step.kind, HttpRequest)
    return step.kind.headers


async def runs_of(caller: Caller, of: Automation) -> list[Run]:
    asked = automation_runs.PageRuns(caller.workspace_id, of.id)
    return (await caller.bus.call(automation_runs.PAGE, asked)).items


async def facts(databases: Databases, event: Event[Any], workspace_id: UUID) -> list[Any]:
    """What the runner stated of a workspace, in its order."""
    connection = await asyncpg.connect(databases.dsn("runner"))
    rows = await connection.fetch("SELECT body FROM outbox WHERE subject = $1 ORDER BY n", event.name)
    await connection.close()
    return [fact for row in rows if (fact := event.unpack(row["body"])).workspace_id == workspace_id]
