"""What ran elsewhere, kept as a run, and what is corrected of one afterwards."""

from typing import Any
from uuid import UUID

from msgspec import UNSET, Struct, UnsetType

from libs.contracts.runs.messages import Message
from libs.contracts.runs.run import Usage


class RecordRun(Struct, frozen=True):
    """Keeps what ran elsewhere as a run of this action's, at the end of the session. Usage does not count it."""

    workspace_id: UUID
    action_id: UUID
    inputs: str | dict[str, Any]
    output: str
    voice: str
    prompt: list[Message] = []
    model: str = ""
    provider: str = ""
    usage: Usage = Usage()
    latency_ms: float | None = None
    session_id: UUID | None = None
    metadata: dict[str, Any] = {}
    id: UUID | None = None


class AmendRun(Struct, frozen=True):
    """Corrects a run that has ended. What is UNSET stays as it is."""

    workspace_id: UUID
    run_id: UUID
    inputs: str | dict[str, Any] | UnsetType = UNSET
    output: str | UnsetType = UNSET
    prompt: list[Message] | UnsetType = UNSET
    model: str | UnsetType = UNSET
    provider: str | UnsetType = UNSET
    usage: Usage | UnsetType = UNSET
    latency_ms: float | UnsetType | None = UNSET
    metadata: dict[str, Any] | UnsetType = UNSET
