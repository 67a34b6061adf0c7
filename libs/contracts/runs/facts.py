"""The facts of runs: that one has finished, and that some are no more."""

from datetime import datetime
from typing import Any
from uuid import UUID

from msgspec import Struct, ValidationError, convert

from libs.contracts.faults import Failure
from libs.contracts.runs.run import Status, Usage
from libs.contracts.runs.starting import Mode

# The key of a run's metadata under which are the ids of the automations that led to it, as texts.
CHAIN = "automation_chain"


class RunFinished(Struct, frozen=True):
    """A run reached its one recorded outcome. Ids and counters only: the answer is asked for where it is needed.

    `chain`: the automations that led to it (libs.contracts.automation_runs).
    `unread`: whoever had been reading it was gone when it ended.
    """

    workspace_id: UUID
    run_id: UUID
    action_id: UUID
    status: Status
    mode: Mode
    voice: str
    model: str
    provider: str
    usage: Usage
    finished_at: datetime
    session_id: UUID | None = None
    app_id: UUID | None = None
    experiment: str | None = None
    cached: bool = False
    latency_ms: float | None = None
    first_token_ms: float | None = None
    failure: Failure | None = None
    variant_id: UUID | None = None
    chain: list[UUID] = []
    unread: bool = False


def chain_of(metadata: dict[str, Any]) -> list[UUID]:
    """The automations that led to a run. Where a client has put something else there, it counts for none."""
    told = metadata.get(CHAIN)
    try:
        return convert(told, list[UUID]) if isinstance(told, list) else []
    except ValidationError:
        return []


class RunsErased(Struct, frozen=True):
    """These runs are no more, and nothing that was said or told of them is to be kept. A thousand ids at most."""

    workspace_id: UUID
    run_ids: list[UUID]
