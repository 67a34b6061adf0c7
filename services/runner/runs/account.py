"""The account of a run: the contract's Run and the stored row, made of a run that this process holds."""

from datetime import UTC, datetime

import msgspec
from msgspec import Struct

from libs.contracts import feed, runs
from libs.contracts.faults import Failure
from libs.contracts.runs import Mode, Run, RunFinished, Status, Usage
from services.runner.runs import rows
from services.runner.runs.frames import Recorded, recorded
from services.runner.runs.live import Live
from services.runner.runs.rows import Beside
from services.runner.store.runs import Row

_msgpack = msgspec.msgpack.Encoder()


class Outcome(Struct, frozen=True):
    """How a run ended."""

    status: Status
    finish_reason: str
    usage: Usage
    latency_ms: float
    failure: Failure | None = None

    def frame(self) -> feed.Done | feed.Failed | feed.Cancelled:
        match self.status:
            case Status.SUCCEEDED:
                return feed.Done(self.finish_reason, self.usage, self.latency_ms)
            case Status.CANCELLED:
                return feed.Cancelled(self.usage)
            case _:
                assert self.failure is not None
                return feed.Failed(self.failure)


_SAID_THERE = "The run failed: its data point says why."
_GOING_ON = Outcome(Status.RUNNING, "", Usage(), 0.0)


def run(live: Live, holder: str, outcome: Outcome | None = None, text: Recorded | None = None) -> Run:
    """The run as it stands, or as it ended."""
    accepted, request, at_end = live.accepted, live.accepted.request, outcome or _GOING_ON
    text = text or recorded(live.recording.frames)
    return Run(
        id=live.id,
        workspace_id=live.workspace_id,
        action_id=request.action_id,
        action_version=accepted.scripted.action.version,
        status=at_end.status,
        mode=request.mode,
        voice=request.voice,
        inputs=request.inputs,
        prompt=[_without_images(message) for message in live.messages],
        output=text.output,
        thinking=text.thinking,
        model=accepted.model.endpoint.llm,
        provider=accepted.model.endpoint.provider,
        usage=at_end.usage,
        finish_reason=at_end.finish_reason,
        sources=live.sources,
        metadata=request.metadata,
        created_at=live.created_at,
        holder=holder,
        attempt=live.recording.attempt,
        session_id=request.session_id,
        end_user=request.end_user,
        experiment=request.experiment,
        cached_from=live.cached_from and live.cached_from.id,
        failure=at_end.failure,
        latency_ms=at_end.latency_ms if outcome else None,
        first_token_ms=live.first_token_ms,
        finished_at=datetime.now(UTC) if outcome else None,
        calls=live.calls,
        variant_id=request.variant_id,
    )


def _without_images(message: runs.Message) -> runs.Message:
    """What was shown is told of, and not kept."""
    if not message.images:
        return message
    told = [runs.Image(image.name, image.media_type) for image in message.images]
    return msgspec.structs.replace(message, images=told)


def waiting(live: Live) -> Run:
    """A run that is nobody's yet."""
    return msgspec.structs.replace(run(live, ""), status=Status.QUEUED)


def row(live: Live, run: Run, text: Recorded | None = None) -> Row:
    """A run's row; with the cut of its text once it has ended, with its request while it may have to begin again."""
    accepted, going_on = live.accepted, text is None
    beside = Beside(
        app_id=accepted.scripted.action.app_id,
        model_id=accepted.model.id,
        question=accepted.prompt.question,
        frames=text and text.cut,
        request=_msgpack.encode(accepted.request) if going_on and run.mode is Mode.ASYNC else None,
    )
    return rows.row(run, beside)


def finished(live: Live, run: Run) -> RunFinished:
    assert run.finished_at is not None
    return RunFinished(
        workspace_id=run.workspace_id,
        run_id=run.id,
        action_id=run.action_id,
        status=run.status,
        mode=run.mode,
        voice=run.voice,
        model=run.model,
        provider=run.provider,
        usage=run.usage,
        finished_at=run.finished_at,
        session_id=run.session_id,
        app_id=live.accepted.scripted.action.app_id,
        experiment=run.experiment,
        cached=run.cached_from is not None,
        latency_ms=run.latency_ms,
        first_token_ms=run.first_token_ms,
        failure=told(run.failure),
        variant_id=run.variant_id,
        unread=live.audience is not None and live.audience.left,
        chain=runs.chain_of(run.metadata),
    )


def told(failure: Failure | None) -> Failure | None:
    """As an event tells it. A provider's words may repeat what was said to it, and events outlive what they tell of."""
    return failure and Failure(failure.code, _SAID_THERE, None, failure.retry_after)
