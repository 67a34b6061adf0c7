"""Rows: a run as its row in Postgres, whether it ran here or is recorded of elsewhere."""

from uuid import UUID

from msgspec import Struct

from libs.contracts.runs import Run
from services.runner.store.runs import Row, encoded


class Beside(Struct, frozen=True):
    """What a row has that its run doesn't tell.

    `frames` is how its text was cut into frames, once it has ended; `request` what it would begin again with.
    """

    app_id: UUID
    model_id: UUID
    question: str
    frames: bytes | None = None
    request: bytes | None = None


def row(run: Run, beside: Beside) -> Row:
    return Row(
        id=run.id,
        workspace_id=run.workspace_id,
        action_id=run.action_id,
        app_id=beside.app_id,
        action_version=run.action_version,
        session_id=run.session_id,
        turn=run.turn,
        status=run.status,
        mode=run.mode,
        voice=run.voice,
        holder=run.holder,
        attempt=run.attempt,
        model=run.model,
        provider=run.provider,
        end_user=run.end_user,
        experiment=run.experiment,
        cached_from=run.cached_from,
        inputs=encoded(run.inputs),
        question=beside.question,
        prompt=encoded(run.prompt),
        output=run.output,
        thinking=run.thinking,
        frames=beside.frames,
        request=beside.request,
        usage=encoded(run.usage),
        finish_reason=run.finish_reason,
        sources=encoded(run.sources),
        metadata=encoded(run.metadata),
        failure=run.failure and encoded(run.failure),
        latency_ms=run.latency_ms,
        first_token_ms=run.first_token_ms,
        created_at=run.created_at,
        finished_at=run.finished_at,
        model_id=beside.model_id,
        calls=encoded(run.calls),
        variant_id=run.variant_id,
    )
