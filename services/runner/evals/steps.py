"""A row's steps: try the data point's input again, ask the judges, and put down the verdicts.

The rule: each step starts runs whose ids follow from the row, and ends with one write by the row's holder. A step that
is done twice, because its process died in between, starts nothing more and counts nothing twice.
"""

from collections.abc import Sequence
from uuid import UUID

from libs.bus.bus import Bus
from libs.contracts import ids, runs
from libs.contracts.evals import Check, Judge, Verdict
from libs.contracts.faults import Code, Fault
from libs.contracts.runs import Mode, Run, StartRun, Status
from libs.postgres.database import Database
from services.runner.evals import judging
from services.runner.evals.checks import Checks, expected
from services.runner.store import runs as stored
from services.runner.store import trial_rows
from services.runner.store.runs import Kept
from services.runner.store.trial_rows import Claimed

_ANSWER = 1
_START_SECONDS = 30.0
# What comes back, or has room again.
AWAY = frozenset({Code.UNAVAILABLE, Code.TIMEOUT, Code.RATE_LIMITED})
# What is no refusal of what was asked.
_AGAIN = AWAY | {Code.INTERNAL}


class Steps:
    def __init__(self, database: Database, bus: Bus, checks: Checks) -> None:
        self._database, self._bus, self._checks = database, bus, checks

    async def take(self, row: Claimed, holder: str) -> None:
        """The next step of the row. Raises Fault (AWAY) where it is to be taken again later."""
        answer_id = ids.derived(row.id, _ANSWER) if row.rerun else row.point_id
        known = await stored.get(self._database, [row.point_id, answer_id])
        point = known[row.point_id].run if row.point_id in known else None
        if point is None or point.workspace_id != row.workspace_id:
            await self._give_up(row, holder, None, "The data point was erased.")
        elif row.rerun and row.answer_id is None:
            await self._try_again(row, holder, point, answer_id)
        elif (answer := _succeeded(known.get(answer_id))) is None:
            await self._give_up(row, holder, answer_id, _unanswered(known.get(answer_id)))
        else:
            await self._judge(row, holder, answer, expected(point, rerun=row.rerun))

    async def _try_again(self, row: Claimed, holder: str, point: Run, answer_id: UUID) -> None:
        refused = await self._start(row, holder, [_again(row, point, answer_id)])
        if answer_id in refused:
            await self._give_up(row, holder, None, refused[answer_id])
        else:
            await trial_rows.wait(self._database, row, holder, answer_id=answer_id, runs=[answer_id])

    async def _judge(self, row: Claimed, holder: str, answer: Run, wanted: str | None) -> None:
        """Asks the judges first, and comes back once they have answered."""
        judges = {place: check for place, check in enumerate(row.checks) if isinstance(check, Judge)}
        asked = {place: ids.derived(row.id, _ANSWER + 1 + place) for place in judges}
        missing = [place for place, id in asked.items() if id not in row.waits_for]
        questions = [judging.question(judges[at], row.workspace_id, asked[at], answer, wanted) for at in missing]
        refused = await self._start(row, holder, questions) if questions else {}
        if len(refused) < len(missing):
            begun = [id for id in asked.values() if id not in refused]
            await trial_rows.wait(self._database, row, holder, answer_id=answer.id, runs=begun)
        else:
            said = await self._said(asked, refused)
            verdicts = [await self._verdict(check, answer, wanted, said.get(at)) for at, check in enumerate(row.checks)]
            await trial_rows.finish(self._database, row, holder, answer_id=answer.id, verdicts=verdicts)

    async def _said(self, asked: dict[int, UUID], refused: dict[UUID, str]) -> dict[int, Run | str]:
        """What became of each judge that was asked: its run, or why there is none."""
        kept = await stored.get(self._database, list(asked.values()))
        return {
            place: kept[id].run if id in kept else refused.get(id, "What the judge said was erased.")
            for place, id in asked.items()
        }

    async def _verdict(self, check: Check, answer: Run, wanted: str | None, said: Run | str | None) -> Verdict:
        match said:
            case Run() if isinstance(check, Judge):
                return judging.verdict(check, said)
            case str(reason):
                return Verdict(None, reason=reason)
            case _:
                return await self._checks.verdict(check, answer.output, wanted)

    async def _start(self, row: Claimed, holder: str, starts: Sequence[StartRun]) -> dict[UUID, str]:
        """Those that were refused, and why. Raises Fault (AWAY, INTERNAL).

        They are named in the row before, and so erased with its data point, whenever that is.
        """
        refused: dict[UUID, str] = {}
        if not await trial_rows.name_runs(self._database, row, holder, [start.run_id for start in starts]):
            return refused
        for start in starts:
            try:
                await self._bus.call(runs.START, start, timeout=_START_SECONDS)
            except Fault as fault:
                if fault.code in _AGAIN:
                    raise
                refused[start.run_id] = fault.message
        return refused

    async def _give_up(self, row: Claimed, holder: str, answer_id: UUID | None, reason: str) -> None:
        verdicts = [Verdict(None, reason=reason) for _ in row.checks]
        await trial_rows.finish(self._database, row, holder, answer_id=answer_id, verdicts=verdicts)

    async def give_up(self, row: Claimed, holder: str, reason: str) -> None:
        await self._give_up(row, holder, row.answer_id, reason)


def _again(row: Claimed, point: Run, run_id: UUID) -> StartRun:
    """The data point's input as a run of its own: without its session, and without its caller."""
    return StartRun(
        row.workspace_id,
        run_id,
        row.action_id,
        point.inputs,
        judging.VOICE,
        mode=Mode.ASYNC,
        messages=[] if point.inputs else [turn for turn in point.prompt if turn.role != "system"],
        metadata={"source": "EVAL", "eval_run": str(row.trial_id), "data_point": str(point.id)},
        version_id=row.version_id,
    )


def _succeeded(kept: Kept | None) -> Run | None:
    return kept.run if kept is not None and kept.run.status is Status.SUCCEEDED else None


def _unanswered(kept: Kept | None) -> str:
    if kept is None:
        return "The answer was erased."
    return kept.run.failure.message if kept.run.failure else "The data point has no answer."
