"""What is written of runs while they go on: their start beside the model call, their frames twice a second.

Nobody waits for either, so that the first token waits for no commit; a run that ends first is never written twice. All
that is due goes in one statement for the whole process, and may be lost with Postgres's last half second.
"""

import asyncio

from libs.contracts.faults import Fault
from libs.contracts.runs import Run
from libs.postgres.database import Connection, Database
from libs.postgres.group_commit import GroupCommit
from services.runner.runs import account
from services.runner.runs.holding import Holding
from services.runner.runs.live import Live
from services.runner.store import parts, runs
from services.runner.store.parts import Part

# Runs that are shorter are written once, at their end.
START_SECONDS = 0.05
FRAMES_SECONDS = 0.5


class Journal:
    def __init__(self, database: Database, holding: Holding, holder: str) -> None:
        self._database, self._holding, self._holder = database, holding, holder
        self._begun: list[Live] = []
        self._woken = asyncio.Event()
        self._accepting = GroupCommit(database, self._accept)

    def begin(self, live: Live) -> None:
        """A run that may be lost with its process: its start is written when there is time."""
        self._begun.append(live)
        self._woken.set()

    async def accept(self, live: Live) -> bool:
        """Commits the start of a run that must outlive this process; False where there is a run of that id already."""
        return await self._put(account.row(live, account.run(live, self._holder)))

    async def put_in_queue(self, live: Live) -> Run | None:
        """Commits a run that waits to be claimed; None where there is a run of that id already."""
        run = account.waiting(live)
        return run if await self._put(account.row(live, run)) else None

    async def _put(self, row: runs.Row) -> bool:
        new: list[bool] = []
        await self._accepting.add((row, new))
        return new[-1]

    async def _accept(self, connection: Connection, items: list[tuple[runs.Row, list[bool]]]) -> None:
        written = await runs.start(connection, [row for row, _ in items])
        for row, new in items:
            new.append(row.id in written)

    async def write_starts(self) -> None:
        """Write starts for ever."""
        while True:
            await self._woken.wait()
            await asyncio.sleep(START_SECONDS)
            self._woken.clear()
            begun, self._begun = self._begun, []
            await self._write_starts([live for live in begun if not live.ending])

    async def _write_starts(self, begun: list[Live]) -> None:
        if not begun:
            return
        rows = [account.row(live, account.run(live, self._holder)) for live in begun]
        try:
            async with self._database.transaction() as connection:
                await _in_no_haste(connection)
                await runs.start(connection, rows)
        except Fault:
            self._begun[:0] = begun
            self._woken.set()
            raise

    async def write_frames(self) -> None:
        """Write frames for ever."""
        while True:
            await asyncio.sleep(FRAMES_SECONDS)
            await self._write_frames([live for live in self._holding if not live.ending])

    async def _write_frames(self, going_on: list[Live]) -> None:
        due: dict[Live, Part] = {}
        for live in going_on:
            live.recording.flush()
            if frames := live.recording.frames[live.stored :]:
                due[live] = Part(live.id, live.recording.attempt, frames)
                live.may_have_parts = True
        if not due:
            return
        async with self._database.transaction() as connection:
            await _in_no_haste(connection)
            written = await parts.append(connection, self._holder, list(due.values()))
        for live, part in due.items():
            if live.id in written:
                live.stored += len(part.frames)


async def _in_no_haste(connection: Connection) -> None:
    await connection.execute("SET LOCAL synchronous_commit = off")
