"""Evals and their trials: what `rpc.runner.evals.*` and `rpc.runner.trials.*` answer.

The rule: what could not be judged by is refused here, before a trial begins.
"""

import math
from datetime import UTC, datetime
from uuid import UUID

from msgspec import UNSET, structs

from libs.contracts import actions, evals, ids
from libs.contracts.evals import CreateEval, Eval, GetEval, Judge, StartTrial, Status, Trial, UpdateEval
from libs.contracts.faults import Code, Fault
from libs.contracts.paging import Page
from libs.postgres.database import Connection, Database
from services.runner.catalog import Catalog
from services.runner.evals.checks import Checks
from services.runner.evals.working import TOPIC
from services.runner.storable import named, storable
from services.runner.store import datasets, deployments, trial_rows
from services.runner.store import evals as stored

_MOST_CHECKS = 20


class Evals:
    def __init__(self, database: Database, catalog: Catalog, checks: Checks) -> None:
        self._database, self._catalog, self._checks = database, catalog, checks

    async def create(self, asked: CreateEval) -> Eval:
        """Raises Fault NOT_FOUND for an action, version, dataset or judge's model that is none, INVALID for checks that
        nothing could be judged by.
        """
        now, id = datetime.now(UTC), asked.id or ids.new()
        made = Eval(
            id=id,
            workspace_id=asked.workspace_id,
            name=asked.name,
            app_id=ids.NONE,
            action_id=asked.action_id,
            version_id=asked.version_id,
            version=asked.number,
            dataset_id=asked.dataset_id,
            checks=asked.checks,
            rerun=asked.rerun,
            sampling=asked.sampling,
            alert_on_fail=asked.alert_on_fail,
            created_by=asked.created_by,
            created_at=now,
            updated_at=now,
        )
        await stored.TABLE.insert(self._database, await self._sound(made))
        return await self.get(GetEval(asked.workspace_id, id))

    async def get(self, asked: GetEval) -> Eval:
        return await stored.TABLE.get(self._database, asked.workspace_id, asked.eval_id)

    async def page(self, asked: evals.PageEvals) -> Page[Eval]:
        return await stored.TABLE.page(self._database, asked.workspace_id, asked.slice)

    async def update(self, asked: UpdateEval) -> Eval:
        """Another action runs as it is deployed, where no version of it is named. Raises Fault as `create` does."""
        wanted = structs.replace(await self.get(GetEval(asked.workspace_id, asked.eval_id)), **_changes(asked))
        changes = _kept(await self._sound(wanted))
        async with self._database.transaction() as connection:
            before = await stored.TABLE.lock(connection, asked.workspace_id, asked.eval_id)
            await stored.TABLE.replace(connection, structs.replace(before, **changes))
        return await self.get(GetEval(asked.workspace_id, asked.eval_id))

    async def delete(self, asked: GetEval) -> Eval:
        """The eval as it was; its trials go with it, the runs that they made stay."""
        found = await self.get(asked)
        await stored.TABLE.delete(self._database, asked.workspace_id, found.id)
        return found

    async def _sound(self, wanted: Eval) -> Eval:
        """With the ids of its app, action and version as they are. Raises Fault."""
        named(wanted.name)
        if not (math.isfinite(wanted.sampling) and 0 < wanted.sampling <= 1):
            raise Fault(Code.INVALID, "A sampling rate is a number over 0, up to 1.", field="sampling_rate")
        if not 1 <= len(wanted.checks) <= _MOST_CHECKS:
            raise Fault(Code.INVALID, f"An eval has from 1 to {_MOST_CHECKS} types.", field="eval_types")
        wanted = storable(wanted)
        for place, check in enumerate(wanted.checks):
            await self._checks.must_be_sound(check, f"eval_types[{place}]")
            if isinstance(check, Judge):
                await self._catalog.model(wanted.workspace_id, check.model_id)
        if wanted.dataset_id is not None:
            await datasets.TABLE.get(self._database, wanted.workspace_id, wanted.dataset_id)
        action = (await self._catalog.action(wanted.workspace_id, wanted.action_id)).action
        wanted = structs.replace(wanted, app_id=action.app_id, action_id=action.id)
        if wanted.version_id is None and wanted.version is None:
            return wanted
        version = await deployments.found(self._database, _asked_version(wanted))
        return structs.replace(wanted, version_id=version.id, version=version.version)

    async def start(self, asked: StartTrial) -> Trial:
        """Raises Fault NOT_FOUND where there is no such eval, or its dataset was deleted."""
        id = asked.id or ids.new()
        async with self._database.transaction() as connection:
            of = await stored.TABLE.lock(connection, asked.workspace_id, asked.eval_id)
            if of.dataset_id is not None:
                await datasets.TABLE.get(connection, of.workspace_id, of.dataset_id)
            await _begin(connection, id, of, by=asked.created_by)
            connection.wake_after(TOPIC)
        return await self.trial(evals.GetTrial(asked.workspace_id, id))

    async def trial(self, asked: evals.GetTrial) -> Trial:
        return (await self._told([await stored.TRIALS.get(self._database, asked.workspace_id, asked.trial_id)]))[0]

    async def trials(self, asked: evals.PageTrials) -> Page[Trial]:
        await self.get(GetEval(asked.workspace_id, asked.eval_id))
        page = await stored.TRIALS.page(self._database, asked.workspace_id, asked.slice, "eval_id = $2", asked.eval_id)
        return Page(await self._told(page.items), page.total)

    async def rows(self, asked: evals.PageRows) -> Page[evals.Row]:
        return await trial_rows.page(self._database, asked)

    async def _told(self, trials: list[stored.Trial]) -> list[Trial]:
        open_ones = [trial for trial in trials if trial.summary is None]
        counted = await stored.summaries(self._database, open_ones) if open_ones else {}
        return [_trial(trial, trial.summary or counted.get(trial.id, stored.Summary())) for trial in trials]


async def _begin(connection: Connection, id: UUID, of: Eval, *, by: UUID | None) -> None:
    number = await stored.next_number(connection, of.id)
    trial = stored.Trial(
        id=id,
        workspace_id=of.workspace_id,
        eval_id=of.id,
        number=number,
        action_id=of.action_id,
        version_id=of.version_id,
        version=of.version,
        dataset_id=of.dataset_id,
        checks=of.checks,
        rerun=of.rerun and of.dataset_id is not None,
        status=Status.RUNNING,
        summary=None,
        created_by=by,
        created_at=datetime.now(UTC),
        finished_at=None,
        alert_on_fail=of.alert_on_fail,
    )
    if await stored.TRIALS.insert(connection, trial):
        await trial_rows.put(connection, trial, await stored.points(connection, trial, of.sampling))


def _trial(trial: stored.Trial, summary: stored.Summary) -> Trial:
    own = {name: getattr(trial, name) for name in trial.__struct_fields__ if name not in ("summary", "alert_on_fail")}
    return Trial(**own, **structs.asdict(summary))


def _changes(asked: UpdateEval) -> dict[str, object]:
    own = set(asked.__struct_fields__) - {"workspace_id", "eval_id", "number"}
    changes = {name: value for name in own if (value := getattr(asked, name)) is not UNSET}
    if asked.action_id is not UNSET or asked.version_id is not UNSET or asked.number is not UNSET:
        changes["version_id"] = None if asked.version_id is UNSET else asked.version_id
        changes["version"] = None if asked.number is UNSET else asked.number
    return changes


def _kept(wanted: Eval) -> dict[str, object]:
    fixed = {"id", "workspace_id", "created_by", "created_at", "updated_at"}
    return {name: getattr(wanted, name) for name in wanted.__struct_fields__ if name not in fixed}


def _asked_version(wanted: Eval) -> actions.DeployVersion:
    number = wanted.version if wanted.version_id is None else None
    return actions.DeployVersion(wanted.workspace_id, wanted.action_id, "", wanted.version_id, number)
