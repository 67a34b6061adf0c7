"""What a run came to, and how it is found again."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from msgspec import Struct

from libs.contracts.faults import Failure
from libs.contracts.paging import Slice
from libs.contracts.runs.messages import Message, ToolCall
from libs.contracts.runs.starting import Mode


class Status(StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


ENDED = frozenset({Status.SUCCEEDED, Status.FAILED, Status.CANCELLED})


class Usage(Struct, frozen=True):
    """What a run took. Tokens are as the provider reported them, or `counted` by the engine where it did not.

    `cached_tokens` are those of the prompt that the provider read from its cache. `cost` is in nano-dollars (10⁻⁹ USD);
    None where no price is known.
    """

    prompt_tokens: int = 0
    completion_tokens: int = 0
    reasoning_tokens: int = 0
    counted: bool = False
    cached_tokens: int = 0
    cost: int | None = None


class Source(Struct, frozen=True):
    """A passage that the answer was grounded in. `position` is its chunk's number in the document, from 0."""

    context_id: UUID
    document_id: UUID
    chunk_id: UUID
    name: str
    position: int
    score: float


class Run(Struct, frozen=True):
    """`prompt` is what was sent to the model at first, `calls` are those of the caller's own tools that wait for their
    results; times are in milliseconds from the run's start.
    """

    id: UUID
    workspace_id: UUID
    action_id: UUID
    action_version: int
    status: Status
    mode: Mode
    voice: str
    inputs: str | dict[str, Any]
    prompt: list[Message]
    output: str
    thinking: str
    model: str
    provider: str
    usage: Usage
    finish_reason: str
    sources: list[Source]
    metadata: dict[str, Any]
    created_at: datetime
    holder: str = ""
    attempt: int = 1
    session_id: UUID | None = None
    turn: int | None = None
    end_user: str = ""
    experiment: str | None = None
    cached_from: UUID | None = None
    failure: Failure | None = None
    latency_ms: float | None = None
    first_token_ms: float | None = None
    finished_at: datetime | None = None
    calls: list[ToolCall] = []
    variant_id: UUID | None = None


class GetRun(Struct, frozen=True):
    workspace_id: UUID
    run_id: UUID


class PageRuns(Struct, frozen=True):
    workspace_id: UUID
    action_id: UUID | None = None
    app_id: UUID | None = None
    session_id: UUID | None = None
    slice: Slice = Slice()
    dataset_id: UUID | None = None
