"""Working on trials: claims rows that are due, takes a step of each, several at once, and finishes trials.

Owner: runner; any number of its processes share the rows. Nothing is lost with a process: its rows are taken up by
another where they were.
"""

import asyncio
import contextlib
import logging
from uuid import UUID

from libs.contracts.faults import Code, Fault
from libs.postgres.database import Database
from libs.postgres.leases import Lease
from services.runner.evals.steps import Steps
from services.runner.store import evals as stored
from services.runner.store import trial_rows
from services.runner.store.trial_rows import Claimed

log = logging.getLogger(__name__)

TOPIC = "trials"
_SLOTS = 16
# Rows of one trial that have runs in the queue.
_BEGUN = 16
_POLL_SECONDS = 1.0
_GOING_SECONDS = 0.25
_TRIES = 8
_LONGEST_PAUSE = 60.0


class Working:
    def __init__(self, database: Database, lease: Lease, steps: Steps) -> None:
        self._database, self._lease, self._steps = database, lease, steps
        self._tasks: dict[UUID, asyncio.Task[None]] = {}
        self._woken = asyncio.Event()
        self._closing = False
        database.on_commit(TOPIC, self._woken.set)

    async def run(self) -> None:
        """Until `stop`. Woken by a new trial; while one goes on its runs are looked after four times a second."""
        going = False
        while not self._closing:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._woken.wait(), _GOING_SECONDS if going else _POLL_SECONDS)
            self._woken.clear()
            going = await self._turn()

    async def stop(self) -> None:
        """Give up what is under way, for others to go on with."""
        self._closing = True
        self._woken.set()
        for task in self._tasks.values():
            task.cancel()
        while self._tasks:
            await asyncio.wait(self._tasks.values())

    async def _turn(self) -> bool:
        """Whether there is anything to look after."""
        if self._closing or not self._lease.held:
            return False
        free, holder = _SLOTS - len(self._tasks), self._lease.holder
        if free:
            busy = list(self._tasks)
            for row in await trial_rows.claim(self._database, holder, limit=free, busy=busy, begun=_BEGUN):
                self._begin(row)
        await self._finish()
        return await stored.any_goes_on(self._database)

    async def _finish(self) -> None:
        trials = await stored.finished(self._database)
        summaries = await stored.summaries(self._database, trials) if trials else {}
        for trial in trials:
            await stored.finish(self._database, trial.id, summaries.get(trial.id, stored.Summary()))

    def _begin(self, row: Claimed) -> None:
        task = asyncio.get_running_loop().create_task(self._do(row), name=f"trial row {row.id}")
        self._tasks[row.id] = task
        task.add_done_callback(lambda _: self._end(row.id))

    def _end(self, id: UUID) -> None:
        del self._tasks[id]
        self._woken.set()

    async def _do(self, row: Claimed) -> None:
        holder = self._lease.holder
        try:
            await self._steps.take(row, holder)
        except Fault as fault:
            await self._again(row, holder, fault)
        except Exception:
            log.exception("A row of a trial failed on our side", extra={"row": row.id, "tries": row.tries})
            await self._again(row, holder, Fault(Code.INTERNAL, "Something went wrong on our side."))

    async def _again(self, row: Claimed, holder: str, fault: Fault) -> None:
        """While the database is away the row stays ours: this process takes it up again."""
        try:
            if row.tries >= _TRIES:
                await self._steps.give_up(row, holder, fault.message)
            else:
                await trial_rows.postpone(self._database, row, holder, seconds=min(2.0**row.tries, _LONGEST_PAUSE))
        except Fault as away:
            log.warning("A row of a trial waits", extra={"row": row.id, "error": away.message})
