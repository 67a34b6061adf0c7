"""Workflows are the engine's automations, blocks the steps of their runs."""

import re
from typing import Any

import msgspec
import yaml

from libs.contracts import automation_runs
from libs.contracts.automation_runs import Run, RunStatus, StepRun, StepStatus
from libs.contracts.automations import Automation, GetAutomation, OnEvent
from libs.contracts.faults import Failure
from services.gateway.dialects.klu import wire

_NOT_OF_A_SLUG = re.compile(r"[^a-z0-9]+")


def trigger(asked: GetAutomation, body: wire.workflows.TriggerWorkflow) -> automation_runs.TriggerAutomation:
    """What is given by name, steps know by name; a text they know as `input`."""
    given = body.input or {}
    payload = given if isinstance(given, dict) else {"input": given}
    return automation_runs.TriggerAutomation(asked.workspace_id, asked.automation_id, payload)


def reply(automation: Automation) -> wire.workflows.Workflow:
    return wire.workflows.Workflow(
        guid=str(automation.id),
        slug=_NOT_OF_A_SLUG.sub("-", automation.name.lower()).strip("-"),
        name=automation.name,
        app="",
        raw_yaml=_yaml(automation),
        trigger=_trigger(automation),
        metadata={"status": automation.status},
        created_at=automation.created_at,
        updated_at=automation.updated_at,
    )


def _trigger(automation: Automation) -> str:
    trigger = automation.trigger
    return trigger.event if isinstance(trigger, OnEvent) else str(trigger.__struct_config__.tag)


def _yaml(automation: Automation) -> str:
    """What it is, for people to read."""
    steps = [{"name": step.name, **msgspec.to_builtins(step.kind)} for step in automation.steps]
    written = {"name": automation.name, "trigger": _trigger(automation), "steps": steps}
    return yaml.safe_dump(written, sort_keys=False, allow_unicode=True)


def triggered(run: Run) -> wire.workflows.Triggered:
    blocks = [_block(step) for step in run.steps]
    return wire.workflows.Triggered(msg="The workflow runs.", status=run.status, blocks=blocks, run=str(run.id))


def _block(step: StepRun) -> wire.workflows.Block:
    return wire.workflows.Block(
        name=step.name, type=step.type, status=step.status, output=step.output, error=_said(step.failure)
    )


def run(run: Run) -> wire.workflows.Run:
    told = wire.workflows.MetaData(status=run.status, trigger=run.trigger, error=_said(run.failure))
    return wire.workflows.Run(
        guid=str(run.id),
        workflow=str(run.automation_id),
        meta_data=told,
        created_at=run.created_at,
        updated_at=run.finished_at or run.created_at,
    )


def result(run: Run) -> wire.workflows.Result:
    return wire.workflows.Result(result=_final(run), status=run.status, error=_said(run.failure))


def dataset(run: Run) -> wire.workflows.Dataset:
    blocks = {step.name: _came(step) for step in run.steps if step.status is StepStatus.COMPLETED}
    return wire.workflows.Dataset(final=_final(run), blocks=blocks)


def _final(run: Run) -> Any:
    if run.status is RunStatus.RUNNING:
        return None
    done = [step for step in run.steps if step.status is StepStatus.COMPLETED]
    return _came(done[-1]) if done else None


def _came(step: StepRun) -> Any:
    """An action's answer, and of another step all that it came to."""
    return step.output.get("answer", step.output)


def _said(failure: Failure | None) -> str | None:
    return failure and failure.message
