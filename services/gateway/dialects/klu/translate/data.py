"""Data points: a run with what was said of it."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any
from uuid import UUID

import msgspec

from libs.contracts import feedback, ids, runs
from services.gateway.dialects.klu import wire
from services.gateway.dialects.klu.translate import feedback as feedback_of
from services.gateway.dialects.klu.translate import values

_NANOS = 1_000_000_000


def reply(run: runs.Run, said: Iterable[feedback.Feedback]) -> wire.data.DataPoint:
    metadata = _metadata(run)
    return wire.data.DataPoint(
        guid=str(run.id),
        action=_action(run),
        action_guid=_action(run),
        session=values.spelled(run.session_id),
        input=run.inputs,
        prompt=_last(run.prompt, "user") or "",
        full_prompt_sent=[wire.runs.Message(message.role, message.content) for message in run.prompt],
        system_message=_last(run.prompt, "system"),
        output=run.output,
        completion=run.output,
        model=run.model,
        model_provider=run.provider,
        latency=None if run.latency_ms is None else round(run.latency_ms),
        num_input_tokens=run.usage.prompt_tokens,
        num_output_tokens=run.usage.completion_tokens,
        metadata=metadata,
        meta_data=metadata,
        feedback=[feedback_of.reply(one) for one in said],
        created_at=run.created_at,
        updated_at=run.finished_at or run.created_at,
    )


def _action(run: runs.Run) -> str | None:
    """None for what ran without one: in the playground, or as a question to a context."""
    return None if run.action_id == ids.NONE else str(run.action_id)


def _last(prompt: list[runs.Message], role: str) -> str | None:
    return next((message.content for message in reversed(prompt) if message.role == role), None)


def _metadata(run: runs.Run) -> dict[str, Any]:
    """The run's own, and what Klu has no field for."""
    return (
        {"source": "API"}
        | run.metadata
        | {
            "status": run.status,
            "voice": run.voice,
            "mode": run.mode,
            "action_version": run.action_version,
            "finish_reason": run.finish_reason,
            "first_token_ms": run.first_token_ms,
            "cost_usd": None if run.usage.cost is None else run.usage.cost / _NANOS,
            "cached_tokens": run.usage.cached_tokens,
            "reasoning_tokens": run.usage.reasoning_tokens,
            "tokens_counted": run.usage.counted,
            "cached": run.cached_from is not None,
            "sources": msgspec.to_builtins(run.sources),
            "extUserId": run.end_user,
            "error": run.failure.message if run.failure else None,
        }
    )


def by_run(said: Iterable[feedback.Feedback]) -> dict[UUID, list[feedback.Feedback]]:
    of: dict[UUID, list[feedback.Feedback]] = defaultdict(list)
    for one in said:
        of[one.run_id].append(one)
    return of
