"""Automations, looked up for a model: which there are, and how they went."""

from typing import Any
from uuid import UUID

from libs.bus.bus import Bus
from libs.contracts import automation_runs, automations, ids
from libs.contracts.paging import Slice
from services.runner.tools.builtin import told

_LIMIT = 20
SECONDS = 8.0

LIST = "Lists the automations of this workspace, with their status, what sets them off, and when they ran last."
LISTING: dict[str, Any] = {
    "type": "object",
    "properties": {
        "status": {"type": "string", "enum": [*automations.Status], "description": "Only those of this status."},
        "limit": {"type": "integer", "minimum": 1, "maximum": 50, "description": "How many to list (20)."},
    },
    "additionalProperties": False,
}
RUNS = "Lists the latest runs of this workspace's automations, newest first, and how each of them went."
TELLING: dict[str, Any] = {
    "type": "object",
    "properties": {
        "automation_id": {"type": "string", "description": "Only those of one automation, as list_automations tells."},
        "status": {"type": "string", "enum": [*automation_runs.RunStatus], "description": "Only those of this status."},
        "limit": {"type": "integer", "minimum": 1, "maximum": 50, "description": "How many to list (20)."},
    },
    "additionalProperties": False,
}


async def list(bus: Bus, workspace_id: UUID, arguments: dict[str, Any]) -> str:
    """Raises Fault, in words for the model."""
    status, limit = arguments.get("status"), int(arguments.get("limit", _LIMIT))
    asked = automations.PageAutomations(
        workspace_id, automations.Status(status) if status else None, slice=Slice(0, limit)
    )
    page = await bus.call(automations.PAGE, asked, timeout=SECONDS)
    return told.listed("automations", map(spelled, page.items), total=page.total)


async def runs(bus: Bus, workspace_id: UUID, arguments: dict[str, Any]) -> str:
    """Raises Fault, in words for the model."""
    status, limit = arguments.get("status"), int(arguments.get("limit", _LIMIT))
    asked = automation_runs.PageRuns(
        workspace_id,
        told.id(arguments, "automation_id"),
        automation_runs.RunStatus(status) if status else None,
        Slice(0, limit),
    )
    page = await bus.call(automation_runs.PAGE, asked, timeout=SECONDS)
    return told.listed("runs", map(spelled_run, page.items), total=page.total)


def spelled(automation: automations.Automation) -> dict[str, Any]:
    return {
        "id": ids.crockford("auto", automation.id),
        "name": automation.name,
        "status": automation.status,
        "trigger": trigger(automation.trigger),
        "steps": len(automation.steps),
        "last_run": told.moment(automation.last_run_at),
        "next_run": told.moment(automation.next_at),
    }


def trigger(trigger: automations.Trigger) -> str:
    match trigger:
        case automations.Manual():
            return "manual"
        case automations.Schedule(cron):
            return f"schedule {cron}"
        case automations.OnEvent(event):
            return f"event {event}"


def spelled_run(run: automation_runs.Run) -> dict[str, Any]:
    return {
        "id": ids.crockford("run", run.id),
        "automation_id": ids.crockford("auto", run.automation_id),
        "automation": run.automation_name,
        "status": run.status,
        "trigger": run.trigger,
        "steps_run": run.steps_run,
        "started_at": told.moment(run.created_at),
        "finished_at": told.moment(run.finished_at),
        "error": run.failure and run.failure.message[:500],
    }
