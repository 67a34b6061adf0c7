"""Variants: which one of an experiment a run is given.

The rule: it follows from the experiment and from who speaks alone, so every process gives the same one; and when
weights change, or variants come and go, no more people change over than must.
"""

import hashlib
import math
from uuid import UUID

from msgspec import structs

from libs.contracts import ids
from libs.contracts.experiments import Experiment, Status, Variant
from libs.contracts.faults import Code, Fault, not_found
from libs.contracts.runs import StartRun
from libs.postgres.changes import Changes
from libs.postgres.database import Database
from services.runner.store import experiments as stored

EXPERIMENT = "runner.experiment"
_FIELD = "experiment"


class Variants:
    """The experiments of one process, cached."""

    def __init__(self, database: Database, changes: Changes) -> None:
        self._database = database
        self._experiments = changes.cache(EXPERIMENT, self._load)

    async def drawn(self, request: StartRun) -> StartRun:
        """The run with its variant's action and version; one that has been given a variant keeps it.

        Raises Fault NOT_FOUND for an experiment that the workspace does not have, INVALID for an action that is none of
        its variants.
        """
        if request.experiment is None or request.variant_id is not None:
            return request
        experiment = await self._experiment(request.workspace_id, request.experiment)
        named = _named(experiment, request.action_id)
        if experiment.status is Status.STOPPED:
            return _given(request, named if request.forced and named else experiment.variants[0], None)
        variant = named if request.forced and named else draw(experiment, _speaker(request))
        return structs.replace(_given(request, variant, str(experiment.id)), variant_id=variant.id)

    async def _experiment(self, workspace_id: UUID, text: str) -> Experiment:
        id = ids.parse(text)
        found = None if id is None else await self._experiments.get(str(id))
        if found is None or found.workspace_id != workspace_id:
            raise not_found("experiment", text[:100], field=_FIELD)
        return found

    async def _load(self, id: str) -> Experiment | None:
        return await stored.of_any_workspace(self._database, UUID(id))


def draw(experiment: Experiment, speaker: bytes) -> Variant:
    """By weighted rendezvous hashing: the variant with the highest score, which others' weights do not touch."""
    return max(experiment.variants, key=lambda variant: _score(experiment, variant, speaker))


def _score(experiment: Experiment, variant: Variant, speaker: bytes) -> float:
    digest = hashlib.sha256(experiment.id.bytes + variant.id.bytes + speaker).digest()
    # From 0 to 1, without either.
    chance = (int.from_bytes(digest[:6]) + 0.5) / (1 << 48)
    return -variant.weight / math.log(chance)


def _speaker(request: StartRun) -> bytes:
    if request.end_user:
        return b"user " + request.end_user.encode("utf-8", "surrogatepass")
    if request.session_id is not None:
        return b"session " + request.session_id.bytes
    return b"run " + request.run_id.bytes


def _named(experiment: Experiment, action_id: UUID) -> Variant | None:
    if action_id == ids.NONE:
        return None
    for variant in experiment.variants:
        if variant.action_id == action_id:
            return variant
    raise Fault(Code.INVALID, f"The action {action_id} is no variant of this experiment.", field="action")


def _given(request: StartRun, variant: Variant, experiment: str | None) -> StartRun:
    return structs.replace(
        request, action_id=variant.action_id, version_id=variant.version_id, experiment=experiment, forced=False
    )
