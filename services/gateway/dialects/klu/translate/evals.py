"""Evals: their types, as clients write and read them, and what their runs came to."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
from msgspec import UNSET

from libs.contracts import evals, ids
from libs.contracts.evals import Check
from libs.contracts.faults import Code, Fault
from services.gateway.dialects.klu import wire
from services.gateway.dialects.klu.translate import values
from services.gateway.directory.callers import Caller
from services.gateway.http import misfits, params

_SINCE = datetime(2026, 1, 1, tzinfo=UTC)
_EXPECTED = "the text; without it, the data point's metadata.expected, or its own output where it runs again"
_OPTIONS = {
    "exact": ("Exact match", {"expected": _EXPECTED, "ignore_case": "true or false"}),
    "contains": ("Contains", {"expected": _EXPECTED, "ignore_case": "true or false"}),
    "regex": ("Regular expression", {"pattern": "a regular expression, found somewhere in the answer"}),
    "json_schema": ("JSON Schema", {"schema": "a JSON Schema that the answer fits"}),
    "similarity": ("Embedding similarity", {"expected": _EXPECTED, "threshold": "from -1 to 1, 0.8 without"}),
    "llm_judge": (
        "LLM as judge",
        {
            "criteria": "what makes an answer good",
            "model": "a model's guid; without it, the workspace's default model",
            "threshold": "from 0 to 1, 0.5 without",
        },
    ),
}
_ALSO = {"regex": "pattern", "json_schema": "schema", "prompt": "criteria", "model": "model_id"}
_GUIDS = {str(ids.named(ids.NONE, f"eval type {type}")): type for type in _OPTIONS}
_NAMES = {name.casefold(): type for type, (name, _) in _OPTIONS.items()} | {"judge": "llm_judge"}


def types() -> list[wire.evals.EvalType]:
    return [
        wire.evals.EvalType(
            guid=guid,
            name=_OPTIONS[type][0],
            type=type,
            owner="engine",
            metadata=_OPTIONS[type][1],
            eval_function=type,
            eval_run_type="llm" if type == "llm_judge" else "code",
            created_at=_SINCE,
            updated_at=_SINCE,
        )
        for guid, type in _GUIDS.items()
    ]


def create(caller: Caller, body: wire.evals.CreateEval) -> evals.CreateEval:
    version_id, number = values.version(body.version, "version")
    return evals.CreateEval(
        workspace_id=caller.workspace_id,
        name=body.name,
        action_id=values.required(body.action, "action"),
        checks=checks(body.eval_types),
        version_id=version_id,
        number=number,
        dataset_id=values.reference(body.dataset, "dataset"),
        rerun=body.rerun is None or values.flag(body.rerun, "rerun"),
        sampling=1.0 if body.sampling_rate is None else body.sampling_rate,
        alert_on_fail=values.flag(body.alert_on_fail, "alert_on_fail"),
        created_by=caller.account_id,
    )


def update(asked: evals.GetEval, body: wire.evals.UpdateEval) -> evals.UpdateEval:
    version_id, number = values.version(body.version, "version")
    return evals.UpdateEval(
        asked.workspace_id,
        asked.eval_id,
        name=values.kept(body.name),
        action_id=values.kept(values.reference(body.action, "action")),
        checks=UNSET if body.eval_types is None else checks(body.eval_types),
        version_id=values.kept(version_id),
        number=values.kept(number),
        dataset_id=values.kept(values.reference(body.dataset, "dataset")),
        rerun=values.kept_flag(body.rerun, "rerun"),
        sampling=values.kept(body.sampling_rate),
        alert_on_fail=values.kept_flag(body.alert_on_fail, "alert_on_fail"),
    )


def checks(given: Sequence[dict[str, Any] | str]) -> list[Check]:
    return [_check(one, f"eval_types[{place}]") for place, one in enumerate(given)]


def _check(given: dict[str, Any] | str, field: str) -> Check:
    """A type by its name or guid, with its options beside it or in `metadata`."""
    said: dict[str, Any] = {"type": given} if isinstance(given, str) else given
    name = said.get("type") or said.get("guid") or said.get("eval_type") or said.get("name")
    type = _type(name, field)
    nested = said.get("metadata")
    options = {key: value for key, value in said.items() if key not in ("type", "guid", "metadata")}
    options |= nested if isinstance(nested, dict) else {}
    options = {_ALSO.get(key, key): value for key, value in options.items() if value is not None}
    if "model_id" in options:
        options["model_id"] = str(params.guid(str(options["model_id"]), "model", field=f"{field}.model"))
    try:
        return msgspec.convert(options | {"type": type}, Check)
    except msgspec.ValidationError as wrong:
        fault = misfits.fault(wrong, Check)
        raise Fault(fault.code, fault.message, field=f"{field}.{fault.field}" if fault.field else field) from None


def _type(name: object, field: str) -> str:
    text = name if isinstance(name, str) else ""
    type = _GUIDS.get(text) or _NAMES.get(text.casefold()) or text.lower()
    if type not in _OPTIONS:
        raise Fault(Code.INVALID, f"An eval's type is one of {', '.join(_OPTIONS)}.", field=f"{field}.type")
    return type


def reply(of: evals.Eval) -> wire.evals.Eval:
    return wire.evals.Eval(
        guid=str(of.id),
        name=of.name,
        description="",
        app=str(of.app_id),
        action=str(of.action_id),
        version=values.spelled(of.version_id),
        version_number=of.version,
        dataset=None if of.dataset_id is None else wire.evals.OfDataset(str(of.dataset_id)),
        eval_types=[msgspec.to_builtins(check) for check in of.checks],
        sampling_rate=of.sampling,
        alert_on_fail=of.alert_on_fail,
        rerun=of.rerun,
        created_by_id=values.spelled(of.created_by),
        created_at=of.created_at,
        updated_at=of.updated_at,
    )


def trial(of: evals.Trial) -> wire.evals.EvalRun:
    return wire.evals.EvalRun(
        guid=str(of.id),
        eval=str(of.eval_id),
        action=str(of.action_id),
        version=values.spelled(of.version_id),
        run_number=of.number,
        deleted=False,
        metadata=_summary(of),
        created_by_id=values.spelled(of.created_by),
        created_at=of.created_at,
        updated_at=of.finished_at or of.created_at,
    )


def _summary(of: evals.Trial) -> wire.evals.Summary:
    judged = of.rows.passed + of.rows.failed
    tallies = of.by_check or [evals.Tally() for _ in of.checks]
    return wire.evals.Summary(
        status=of.status,
        total=of.total,
        done=of.done,
        passed=of.rows.passed,
        failed=of.rows.failed,
        errors=of.rows.errors,
        pass_rate=of.rows.passed / judged if judged else None,
        eval_types=[_by_type(check, tally) for check, tally in zip(of.checks, tallies, strict=True)],
        rerun=of.rerun,
        dataset=values.spelled(of.dataset_id),
        finished_at=of.finished_at,
    )


def _by_type(check: Check, tally: evals.Tally) -> wire.evals.ByType:
    return wire.evals.ByType(
        type=_tag(check), passed=tally.passed, failed=tally.failed, errors=tally.errors, score=tally.score
    )


def _tag(check: Check) -> str:
    return str(check.__struct_config__.tag)


def row(of: evals.Row, checks: Sequence[Check]) -> wire.evals.Result:
    verdicts = [
        wire.evals.Verdict(type=_tag(check), passed=said.passed, score=said.score, reason=said.reason)
        for check, said in zip(checks, of.verdicts, strict=False)
    ]
    return wire.evals.Result(
        guid=str(of.id),
        data=str(of.point_id),
        answer=values.spelled(of.answer_id),
        done=of.done,
        passed=of.passed,
        verdicts=verdicts,
    )
