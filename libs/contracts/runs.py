"""Runs: one execution of an action, from its inputs to the generated answer. Klu calls a finished one a data point.

Owner: runner. What happens in a run is told as frames (libs.contracts.feed); what it came to is the Run.
"""

from datetime import datetime
from enum import StrEnum
from typing import Any, Literal
from uuid import UUID

from msgspec import UNSET, Struct, UnsetType, ValidationError, convert

from libs.contracts.actions import Kind, Parameters
from libs.contracts.faults import Failure
from libs.contracts.paging import Page, Slice
from libs.contracts.subjects import Event, Rpc
from libs.contracts.tools import Offered


class Mode(StrEnum):
    """How the caller reads the run: `runs.start` answers with the finished, the started, or the accepted one."""

    BLOCKING = "blocking"
    STREAMING = "streaming"
    ASYNC = "async"


class Status(StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


# The voice in which Aria speaks.
ARIA = "klairo"
# Voices in which the engine asks by itself: for an eval, and in the steps of an automation.
OF_EVALS, OF_AUTOMATIONS = "eval", "automation"
OWN_VOICES = frozenset({OF_EVALS, OF_AUTOMATIONS})

ENDED = frozenset({Status.SUCCEEDED, Status.FAILED, Status.CANCELLED})
# The key of a run's metadata under which are the ids of the automations that led to it, as texts.
CHAIN = "automation_chain"


class ToolCall(Struct, frozen=True, tag="tool_call"):
    """`arguments` is the JSON text as the model wrote it. `client`: the tool is the caller's own, and the call waits
    for its result.
    """

    id: str
    name: str
    arguments: str
    client: bool = False


class Image(Struct, frozen=True):
    """`content` is empty where a run is told: that there was an image is kept, the image is not."""

    name: str
    media_type: str
    content: bytes = b""


class Message(Struct, frozen=True, omit_defaults=True):
    """A turn. An assistant's may make `calls`; a tool's answers the call `call_id`. A user's may show `images`."""

    role: Literal["system", "user", "assistant", "tool"]
    content: str
    calls: list[ToolCall] = []
    call_id: str = ""
    images: list[Image] = []


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


class Draft(Struct, frozen=True):
    """An action that is not kept: it runs once, in place of what an action says. Every field is as an action's."""

    prompt: str = ""
    kind: Kind = "prompt"
    system_message: str = ""
    model_id: UUID | None = None
    parameters: Parameters = Parameters()
    context_ids: list[UUID] = []
    tool_ids: list[UUID] = []


class StartRun(Struct, frozen=True):
    """Starts the run `run_id`, minted by the caller; the same id again answers with the same run.

    `action_id`: an app's id stands for its default action. With a `draft` it says whose run that is, ids.NONE nobody's.
    `passages`: how many of them the answer may come from, at most.
    `new_session`: what the session is called where there is none of its id yet, and it is made; None where it must be
    there. `inputs`: the values of the template's variables, or one text. `messages`: the turns of a chat action.
    `conditions` restrict what is retrieved, in the metadata filter's spelling (libs.contracts.search).
    `images` go with the inputs, and are refused where the model sees none.
    `durable`: its start is committed before it is accepted, and it goes on to its end without a reader.
    `follower` follows it from its start (libs.contracts.followers); without one, `unfollowed_seconds` is how long it
    goes on until it has the first, None for as long as it takes.
    `tools` are the caller's own, beside the action's: a call of one ends the run, with the finish reason `tool_calls`,
    and what it came to is told in the `messages` of the next one: where these end with calls and their results, the
    `inputs` were asked before them, or among the messages where there are none. `tool_choice` is auto, none, required,
    or the name of the tool that must be called.
    `experiment` is the id of one that chooses the action among its variants: `action_id` is one of them, or ids.NONE;
    where `forced` is set, it is the one that runs. `variant_id` is what it has chosen, which the runner puts down.
    `version_id` is the version that runs in place of what is deployed.
    `informed`: it may look up what the workspace has. Beside its action's own tools the model has the built-in ones;
    one that calls none is told of contacts and automations, and of what the contexts say, in its prompt.
    """

    workspace_id: UUID
    run_id: UUID
    action_id: UUID
    inputs: str | dict[str, Any]
    voice: str
    mode: Mode = Mode.BLOCKING
    session_id: UUID | None = None
    messages: list[Message] = []
    conditions: dict[str, Any] | None = None
    cache: bool = False
    parameters: Parameters | None = None
    experiment: str | None = None
    environment: str | None = None
    end_user: str = ""
    metadata: dict[str, Any] = {}
    durable: bool = False
    tools: list[Offered] = []
    tool_choice: str | None = None
    new_session: str | None = None
    follower: str = ""
    unfollowed_seconds: float | None = None
    draft: Draft | None = None
    passages: int | None = None
    images: list[Image] = []
    forced: bool = False
    version_id: UUID | None = None
    variant_id: UUID | None = None
    informed: bool = False


class Rendered(Struct, frozen=True):
    """What a run would send to the model: its passages are found, and nothing is asked."""

    action_id: UUID
    action_version: int
    model_id: UUID
    model: str
    messages: list[Message]
    parameters: Parameters


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


class _Started(Rpc[StartRun, Run]):
    def may_repeat(self, request: StartRun) -> bool:
        """What is committed before it is accepted is one run. A blocking one's answer is not late: the run goes on."""
        return request.mode is Mode.ASYNC or (request.durable and request.mode is Mode.STREAMING)


class _Enqueued(Rpc[StartRun, Run]):
    def may_repeat(self, request: StartRun) -> bool:
        """It is committed before it is accepted, under an id that its caller minted."""
        return True


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


START = _Started("rpc.runner.runs.start", StartRun, Run)
RECORD = Rpc("rpc.runner.runs.record", RecordRun, Run)
AMEND = Rpc("rpc.runner.runs.amend", AmendRun, Run)
ENQUEUE = _Enqueued("rpc.runner.runs.enqueue", StartRun, Run)
RENDER = Rpc("rpc.runner.runs.render", StartRun, Rendered)
GET = Rpc("rpc.runner.runs.get", GetRun, Run)
PAGE = Rpc("rpc.runner.runs.page", PageRuns, Page[Run])
CANCEL = Rpc("rpc.runner.runs.cancel", GetRun, Run)
STOP = Rpc("rpc.runner.runs.stop", GetRun, Run)
DELETE = Rpc("rpc.runner.runs.delete", GetRun, Run)
FINISHED = Event("event.runner.runs.finished", RunFinished)
ERASED = Event("event.runner.runs.erased", RunsErased)
