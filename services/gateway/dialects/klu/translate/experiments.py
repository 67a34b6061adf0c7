"""Experiments, and what their variants came to."""

from msgspec import UNSET, UnsetType

from libs.contracts import experiments, feedback
from libs.contracts.experiments import Status, Wanted
from libs.contracts.faults import Code, Fault
from services.gateway.dialects.klu import wire
from services.gateway.dialects.klu.translate import values
from services.gateway.directory.callers import Caller
from services.gateway.http import params

_STATUS = {
    "running": Status.RUNNING,
    "active": Status.RUNNING,
    "started": Status.RUNNING,
    "stopped": Status.STOPPED,
    "inactive": Status.STOPPED,
}


def create(caller: Caller, body: wire.experiments.CreateExperiment) -> experiments.CreateExperiment:
    return experiments.CreateExperiment(
        workspace_id=caller.workspace_id,
        name=body.name,
        variants=_variants(body.variants) if body.variants is not None else _pair(body),
        app_id=values.reference(body.app_guid, "app_guid"),
        created_by=caller.account_id,
    )


def _pair(body: wire.experiments.CreateExperiment) -> list[Wanted]:
    return [
        Wanted(values.required(body.action_primary_guid, "action_primary_guid")),
        Wanted(values.required(body.action_secondary_guid, "action_secondary_guid")),
    ]


def _variants(given: list[wire.experiments.WantedVariant]) -> list[Wanted]:
    return [_wanted(one, f"variants[{place}]") for place, one in enumerate(given)]


def _wanted(given: wire.experiments.WantedVariant, field: str) -> Wanted:
    version_id, number = values.version(given.version, f"{field}.version")
    action_id = params.guid(given.action, "action", field=f"{field}.action")
    return Wanted(action_id, version_id, number, given.weight)


def update(
    asked: experiments.GetExperiment, before: experiments.Experiment, body: wire.experiments.UpdateExperiment
) -> experiments.UpdateExperiment:
    return experiments.UpdateExperiment(
        asked.workspace_id,
        asked.experiment_id,
        name=values.kept(body.name),
        variants=_changed(before, body),
        status=_status(body.status),
    )


def _changed(before: experiments.Experiment, body: wire.experiments.UpdateExperiment) -> list[Wanted] | UnsetType:
    """A primary or secondary action that is named takes the place of the first or second variant."""
    if body.variants is not None:
        return _variants(body.variants)
    kept = [Wanted(one.action_id, one.version_id, weight=one.weight) for one in before.variants]
    named = {"action_primary_guid": body.action_primary_guid, "action_secondary_guid": body.action_secondary_guid}
    for place, (field, guid) in enumerate(named.items()):
        if guid:
            kept[place] = Wanted(params.guid(guid, "action", field=field), weight=kept[place].weight)
    return kept if any(named.values()) else UNSET


def _status(text: str | None) -> Status | UnsetType:
    if not text:
        return UNSET
    known = _STATUS.get(text.lower())
    if known is None:
        raise Fault(Code.INVALID, "An experiment is running or stopped.", field="status")
    return known


def reply(experiment: experiments.Experiment) -> wire.experiments.Experiment:
    return wire.experiments.Experiment(
        id=str(experiment.id),
        guid=str(experiment.id),
        name=experiment.name,
        status=experiment.status,
        app_guid=values.spelled(experiment.app_id),
        action_primary_guid=str(experiment.variants[0].action_id),
        action_secondary_guid=str(experiment.variants[1].action_id),
        variants=[_variant(one) for one in experiment.variants],
        created_by_id=values.spelled(experiment.created_by),
        created_at=experiment.created_at,
        updated_at=experiment.updated_at,
    )


def _variant(variant: experiments.Variant) -> wire.experiments.Variant:
    return wire.experiments.Variant(
        guid=str(variant.id),
        action=str(variant.action_id),
        version=values.spelled(variant.version_id),
        version_number=variant.version,
        weight=variant.weight,
    )


def results(found: experiments.Results, rated: list[feedback.Ratings]) -> wire.experiments.Results:
    """The variants that it has, in their order, then those that it had."""
    experiment, ratings = found.experiment, {one.variant_id: one for one in rated}
    came_to = {one.variant_id: one for one in found.results}
    current = {one.id for one in experiment.variants}
    shown = [came_to.get(one.id) or _none(one) for one in experiment.variants]
    shown += [one for one in found.results if one.variant_id not in current]
    return wire.experiments.Results(
        guid=str(experiment.id),
        name=experiment.name,
        status=experiment.status,
        variants=[_result(one, ratings.get(one.variant_id), one.variant_id in current) for one in shown],
    )


def _none(variant: experiments.Variant) -> experiments.Result:
    return experiments.Result(variant.id, variant.action_id, 0, 0, 0, 0, 0, None, None, None, 0, 0, 0, 0)


def _result(result: experiments.Result, rated: feedback.Ratings | None, current: bool) -> wire.experiments.Result:
    return wire.experiments.Result(
        guid=str(result.variant_id),
        action=str(result.action_id),
        current=current,
        runs=result.runs,
        succeeded=result.succeeded,
        failed=result.failed,
        cancelled=result.cancelled,
        cached=result.cached,
        latency_mean=_rounded(result.latency_mean),
        latency_p50=_rounded(result.latency_p50),
        latency_p95=_rounded(result.latency_p95),
        num_input_tokens=result.prompt_tokens,
        num_output_tokens=result.completion_tokens,
        cost_usd=values.dollars(result.cost),
        runs_without_price=result.unpriced,
        rating=_rating(rated),
    )


def _rounded(number: float | None) -> float | None:
    return None if number is None else round(number, 3)


def _rating(rated: feedback.Ratings | None) -> wire.experiments.Rating:
    if rated is None:
        return wire.experiments.Rating(positive=0, negative=0, positive_share=None, low=0.0, high=1.0)
    return wire.experiments.Rating(
        positive=rated.positive,
        negative=rated.negative,
        positive_share=round(rated.share, 6),
        low=round(rated.low, 6),
        high=round(rated.high, 6),
    )
