"""Data points: a run with what was said of it."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any
from uuid import UUID

import msgspec
from msgspec import UNSET

from libs.contracts import feedback, ids, runs
from libs.contracts.faults import Code, Fault
from services.gateway.dialects.klu import wire
from services.gateway.dialects.klu.translate import feedback as feedback_of
from services.gateway.dialects.klu.translate import values
from services.gateway.dialects.klu.translate.runs import VOICE
from services.gateway.directory.callers import Caller

_MOST_TOKENS = 2**40
_MOST_MILLISECONDS = 10**10


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


def record(caller: Caller, body: wire.data.CreateData) -> runs.RecordRun:
    if body.input is None or body.output is None:
        raise Fault(Code.INVALID, "This field is required.", field="output" if body.output is None else "input")
    return runs.RecordRun(
        caller.workspace_id,
        values.required(body.action, "action"),
        inputs=body.input,
        output=body.output,
        voice=VOICE,
        prompt=_prompt(body, []),
        model=body.model or "",
        provider=body.model_provider or "",
        usage=_usage(body, runs.Usage()),
        latency_ms=_latency(body.latency),
        session_id=values.reference(body.session, "session"),
        metadata=body.meta_data or {},
    )


def amend(asked: runs.GetRun, before: runs.Run, body: wire.data.UpdateData) -> runs.AmendRun:
    """Where it belongs stays: action, app and session are refused. What has no field of ours goes into the metadata."""
    for name in ("action", "app", "session"):
        if getattr(body, name):
            raise Fault(Code.INVALID, f"A data point stays with its {name}.", field=name)
    said = body.full_prompt_sent is not None or body.system_message is not None
    return runs.AmendRun(
        asked.workspace_id,
        asked.run_id,
        inputs=values.kept(body.input),
        output=values.kept(body.output),
        prompt=_prompt(body, before.prompt) if said else UNSET,
        model=values.kept(body.model),
        provider=values.kept(body.model_provider),
        usage=_usage(body, before.usage),
        latency_ms=values.kept(_latency(body.latency)),
        metadata=_told(body, before.metadata),
    )


def _told(body: wire.data.UpdateData, before: dict[str, Any]) -> dict[str, Any]:
    beside = {"raw_llm_response": body.raw_llm_response, "prompt_template": body.prompt_template}
    given = before if body.meta_data is None else body.meta_data
    return given | {name: value for name, value in beside.items() if value is not None}


def _prompt(body: wire.data.CreateData, before: list[runs.Message]) -> list[runs.Message]:
    sent = body.full_prompt_sent
    if sent is None:
        turns = [turn for turn in before if turn.role != "system"]
    elif isinstance(sent, str):
        turns = [runs.Message("user", sent)] if sent else []
    else:
        turns = [runs.Message(turn.role, turn.content) for turn in sent]
    system = body.system_message
    if system is None:
        return [*(turn for turn in before if turn.role == "system" and sent is None), *turns]
    return [*([runs.Message("system", system)] if system else ()), *(turn for turn in turns if turn.role != "system")]


def _usage(body: wire.data.CreateData, before: runs.Usage) -> runs.Usage:
    read, written = body.num_input_tokens, body.num_output_tokens
    for name, tokens in (("num_input_tokens", read), ("num_output_tokens", written)):
        if tokens is not None and not 0 <= tokens < _MOST_TOKENS:
            raise Fault(Code.INVALID, "This is no number of tokens.", field=name)
    return msgspec.structs.replace(
        before,
        prompt_tokens=before.prompt_tokens if read is None else read,
        completion_tokens=before.completion_tokens if written is None else written,
    )


def _latency(given: float | None) -> float | None:
    if given is not None and not 0 <= given < _MOST_MILLISECONDS:
        raise Fault(Code.INVALID, "This is no latency in milliseconds.", field="latency")
    return given


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
            "cost_usd": None if run.usage.cost is None else values.dollars(run.usage.cost),
            "cached_tokens": run.usage.cached_tokens,
            "reasoning_tokens": run.usage.reasoning_tokens,
            "tokens_counted": run.usage.counted,
            "cached": run.cached_from is not None,
            "sources": msgspec.to_builtins(run.sources),
            "extUserId": run.end_user,
            "error": run.failure.message if run.failure else None,
        }
        | ({"experiment": run.experiment} if run.experiment else {})
    )


def by_run(said: Iterable[feedback.Feedback]) -> dict[UUID, list[feedback.Feedback]]:
    of: dict[UUID, list[feedback.Feedback]] = defaultdict(list)
    for one in said:
        of[one.run_id].append(one)
    return of
