"""Working on trials: takes a step of each row that is due, and finishes trials that have no more of them.

Owner: runner; any number of its processes share the rows. Nothing is lost with a process: its rows are taken up by
another where they were.
"""

from collections.abc import Sequence
from uuid import UUID

from libs.contracts import evals
from libs.contracts.faults import Fault
from libs.postgres import outbox
from libs.postgres.database import Database
from libs.postgres.leases import Lease
from services.runner.evals.steps import AWAY, Steps
from services.runner.shifts import Shift
from services.runner.store import evals as stored
from services.runner.store import trial_rows
from services.runner.store.evals import Summary, Trial
from services.runner.store.trial_rows import Claimed

TOPIC = "trials"
_SLOTS = 16
# Rows of one trial that have runs in the queue.
_BEGUN = 16
_IDLE_SECONDS = 1.0
_GOING_SECONDS = 0.25
_TRIES = 8
_LONGEST_PAUSE = 60.0


class Working:
    def __init__(self, database: Database, lease: Lease, steps: Steps) -> None:
        self._database, self._steps, self._going = database, steps, True
        self.shift = Shift(lease, self, slots=_SLOTS, rest=self._rest)
        database.on_commit(TOPIC, self.shift.wake)

    def _rest(self) -> float:
        """While a trial goes on its runs are looked after four times a second."""
        return _GOING_SECONDS if self._going else _IDLE_SECONDS

    async def claim(self, holder: str, limit: int, busy: Sequence[UUID]) -> list[Claimed]:
        claimed = await trial_rows.claim(self._database, holder, limit=limit, busy=busy, begun=_BEGUN)
        trials = await stored.finished(self._database)
        summaries = await stored.summaries(self._database, trials) if trials else {}
        for trial in trials:
            await self._finish(trial, summaries.get(trial.id, Summary()))
        self._going = await stored.any_goes_on(self._database)
        return claimed

    async def _finish(self, trial: Trial, summary: Summary) -> None:
        async with self._database.transaction() as connection:
            if await stored.finish(connection, trial.id, summary):
                await outbox.state(connection, evals.FINISHED, [_finished(trial, summary)])

    async def do(self, row: Claimed, holder: str) -> None:
        await self._steps.take(row, holder)

    async def failed(self, row: Claimed, holder: str, fault: Fault) -> None:
        """What is away comes back, however long that takes; other faults are tried a few times."""
        away = fault.code in AWAY
        pause = (fault.retry_after or 1.0) if away else min(2.0**row.tries, _LONGEST_PAUSE)
        if row.tries >= _TRIES and not away:
            await self._steps.give_up(row, holder, fault.message)
        else:
            await trial_rows.postpone(self._database, row, holder, seconds=pause, counted=not away)


def _finished(trial: Trial, summary: Summary) -> evals.TrialFinished:
    rows = summary.rows
    return evals.TrialFinished(
        trial.workspace_id,
        trial.id,
        trial.eval_id,
        trial.number,
        total=summary.total,
        passed=rows.passed,
        failed=rows.failed,
        errors=rows.errors,
        alert=trial.alert_on_fail,
    )
