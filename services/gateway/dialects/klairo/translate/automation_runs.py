"""Runs of automations: how one is triggered, and what they came to."""

from typing import Any
from uuid import UUID

from msgspec import structs

from libs.contracts import automation_runs, ids
from libs.contracts.automation_runs import Run, RunStatus
from libs.contracts.automations import GetAutomation
from libs.contracts.faults import Failure
from libs.contracts.paging import Page, Slice
from services.gateway.dialects.klairo import wire
from services.gateway.dialects.klairo.translate.automations import one_of
from services.gateway.http import params


def triggered(
    named: GetAutomation, payload: dict[str, Any], contact_id: UUID | None
) -> automation_runs.TriggerAutomation:
    """`contact_id`: whom it is about."""
    about = {} if contact_id is None else {"contact_id": str(contact_id)}
    return automation_runs.TriggerAutomation(named.workspace_id, named.automation_id, payload | about)


def contact_id(given: wire.automations.TriggerAutomation) -> UUID | None:
    """Raises Fault NOT_FOUND for what is no id."""
    told = given.contact_id or (given.payload or {}).get("contact_id")
    return params.guid(told, "contact", field="contact_id") if isinstance(told, str) else None


def accepted(run: Run) -> wire.automations.Triggered:
    return wire.automations.Triggered(
        run_id=ids.crockford("run", run.id),
        automation_id=ids.crockford("auto", run.automation_id),
        status=run.status,
    )


def page(named: GetAutomation, slice: Slice, *, status: str | None) -> automation_runs.PageRuns:
    """Raises Fault INVALID for a status that is none."""
    return automation_runs.PageRuns(named.workspace_id, named.automation_id, one_of(RunStatus, status, "status"), slice)


def run(run: Run) -> wire.automations.Run:
    ended = run.finished_at
    return wire.automations.Run(
        id=ids.crockford("run", run.id),
        automation_id=ids.crockford("auto", run.automation_id),
        automation_name=run.automation_name,
        status=run.status,
        trigger=run.trigger,
        steps_run=run.steps_run,
        steps=run.steps_total,
        duration_ms=None if ended is None else round((ended - run.created_at).total_seconds() * 1000, 3),
        error=_error(run.failure),
        created_at=run.created_at,
        finished_at=ended,
    )


def run_with_steps(whole: Run) -> wire.automations.Run:
    return structs.replace(run(whole), payload=whole.payload, step_runs=[_step_run(step) for step in whole.steps])


def runs(page: Page[Run], slice: Slice) -> wire.automations.Runs:
    return wire.automations.Runs(
        data=[run(each) for each in page.items], total=page.total, limit=slice.limit, offset=slice.offset
    )


def _step_run(step: automation_runs.StepRun) -> wire.automations.StepRun:
    return wire.automations.StepRun(
        name=step.name,
        type=step.type,
        status=step.status,
        output=step.output,
        error=_error(step.failure),
        run_id=None if step.action_run_id is None else str(step.action_run_id),
        due_at=step.due_at,
        started_at=step.started_at,
        finished_at=step.finished_at,
    )


def _error(failure: Failure | None) -> wire.automations.Error | None:
    return failure and wire.automations.Error(code=failure.code, message=failure.message, field=failure.field)
