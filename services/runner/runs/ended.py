"""The frames of runs that have ended. Those read last are kept, since a long answer is asked for in many parts.

The rule: what is kept counts only while the run's row is the one it was read from; so a correction is told at once, and
what was erased is gone.
"""

import asyncio
from collections import OrderedDict
from uuid import UUID

from libs.bus.order import weight
from libs.contracts.feed import Frame
from libs.postgres.database import Database
from services.runner.runs.frames import restored
from services.runner.store import runs as stored
from services.runner.store.runs import Standing

# Bytes that all of them may take, about; one that is longer is kept alone.
MOST_KEPT = 64 << 20


class Ended:
    def __init__(self, database: Database) -> None:
        self._database = database
        self._kept: OrderedDict[UUID, tuple[str, list[Frame], int]] = OrderedDict()
        self._held = 0
        # Those who ask for the same run at once read it once.
        self._reading = asyncio.Lock()

    async def of(self, runs: list[Standing]) -> dict[UUID, list[Frame]]:
        """The frames of each of these, which have ended; nothing of one that is gone meanwhile."""
        found: dict[UUID, list[Frame]] = {}
        if missing := self._take(runs, found):
            async with self._reading:
                if missing := self._take(missing, found):
                    found |= await self._read([run.id for run in missing])
        return found

    def _take(self, runs: list[Standing], found: dict[UUID, list[Frame]]) -> list[Standing]:
        """Those that are not kept as they stand."""
        missing: list[Standing] = []
        for run in runs:
            version, frames, _ = self._kept.get(run.id, ("", [], 0))
            if version == run.version:
                self._kept.move_to_end(run.id)
                found[run.id] = frames
            else:
                missing.append(run)
        return missing

    async def _read(self, ids: list[UUID]) -> dict[UUID, list[Frame]]:
        told = await stored.told(self._database, ids)
        frames = {id: restored(one.recorded, one.attempt) if one.recorded else [] for id, one in told.items()}
        for id, restored_frames in frames.items():
            self._keep(id, told[id].version, restored_frames)
        return frames

    def _keep(self, id: UUID, version: str, frames: list[Frame]) -> None:
        if before := self._kept.pop(id, None):
            self._held -= before[2]
        size = sum(map(weight, frames))
        self._kept[id] = version, frames, size
        self._held += size
        while self._held > MOST_KEPT and len(self._kept) > 1:
            self._held -= self._kept.popitem(last=False)[1][2]
