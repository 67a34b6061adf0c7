"""Reading runs, wherever they are: in this process, with their holder, or in Postgres once they have ended."""

import asyncio
import logging
import time
from uuid import UUID

from libs.bus.bus import Bus
from libs.bus.order import ANSWER, weight
from libs.contracts import runs
from libs.contracts.faults import Fault, not_found
from libs.contracts.paging import Page
from libs.contracts.runs import AskFrames, Cursor, Frames, GetRun, PageRuns, Run
from libs.postgres.database import Database
from services.runner.runs import account
from services.runner.runs.fence import Fence
from services.runner.runs.frames import Recorded, following, restored
from services.runner.runs.holding import Holding
from services.runner.runs.live import Live
from services.runner.store import parts
from services.runner.store import runs as stored
from services.runner.store.runs import Kept

log = logging.getLogger(__name__)

_HOLDER_SECONDS = 2.0
# A run is written a moment after it began, a busy machine's later: a young one that is nowhere is looked for again.
_YOUNG_SECONDS = 2.0
_LOOK_AGAIN = 0.05


def age(run_id: UUID) -> float:
    """The seconds since an id was minted, as its own time tells (UUIDv7)."""
    return time.time() - (run_id.int >> 80) / 1000


class Reading:
    def __init__(self, database: Database, bus: Bus, holding: Holding, fence: Fence) -> None:
        self._database, self._bus, self._holding, self._fence = database, bus, holding, fence
        self._holder = fence.holder

    async def get(self, asked: GetRun) -> Run:
        live = self._held(asked.run_id)
        if live is not None and live.workspace_id == asked.workspace_id and not live.ended.done():
            return self.of(live)
        kept = (await self.kept([asked.run_id])).get(asked.run_id)
        if kept is None or kept.run.workspace_id != asked.workspace_id:
            raise not_found("run", asked.run_id)
        return kept.run

    def of(self, live: Live) -> Run:
        """A run of this process's as it stands."""
        return account.run(live, self._holder)

    async def stored(self, run_id: UUID) -> Run | None:
        """The run as Postgres has it now, in any workspace."""
        kept = (await stored.get(self._database, [run_id])).get(run_id)
        return kept and kept.run

    async def page(self, asked: PageRuns) -> Page[Run]:
        return await stored.page(self._database, asked)

    async def kept(self, run_ids: list[UUID]) -> dict[UUID, Kept]:
        """The rows of these runs, those waited for that may be on their way."""
        found = await stored.get(self._database, run_ids)
        missing = [id for id in run_ids if id not in found]
        while missing and (missing := [id for id in missing if abs(age(id)) < _YOUNG_SECONDS]):
            await asyncio.sleep(_LOOK_AGAIN)
            found |= await stored.get(self._database, missing)
            missing = [id for id in missing if id not in found]
        return found

    async def held(self, asked: AskFrames) -> list[Frames]:
        """What this instance holds; a run that it doesn't is not found."""
        return [self._here(cursor, asked.follower) or Frames(cursor.run_id, False) for cursor in asked.cursors]

    async def frames(self, asked: AskFrames) -> list[Frames]:
        """What follows each cursor, in their order."""
        answers = {cursor: found for cursor in asked.cursors if (found := self._here(cursor, asked.follower))}
        if elsewhere := [cursor for cursor in asked.cursors if cursor not in answers]:
            answers |= await self._elsewhere(elsewhere, asked.follower)
        return [answers[cursor] for cursor in asked.cursors]

    def _held(self, run_id: UUID) -> Live | None:
        """Unless it may be another's by now: then Postgres knows."""
        return self._holding.get(run_id) if self._fence.open else None

    def _here(self, cursor: Cursor, follower: str) -> Frames | None:
        live = self._held(cursor.run_id)
        if live is None or live.workspace_id != cursor.workspace_id:
            return None
        live.followed_by(follower)
        return _answer(live.id, _status(live), _joined(live, cursor))

    async def _elsewhere(self, cursors: list[Cursor], follower: str) -> dict[Cursor, Frames]:
        kept = await self.kept(list({cursor.run_id for cursor in cursors}))
        holders: dict[str, list[Cursor]] = {}
        for cursor in cursors:
            if _goes_on(kept.get(cursor.run_id)):
                holders.setdefault(kept[cursor.run_id].run.holder, []).append(cursor)
        answers: dict[Cursor, Frames] = {}
        for answered in await asyncio.gather(
            *(self._ask(holder, asked, follower) for holder, asked in holders.items())
        ):
            answers |= answered
        if silent := {cursor.run_id for asked in holders.values() for cursor in asked if cursor not in answers}:
            # It ended while its holder was asked, or its holder is dead.
            kept |= await stored.get(self._database, list(silent))
        rest = [cursor for cursor in cursors if cursor not in answers]
        return answers | {cursor: await self._stored(cursor, kept.get(cursor.run_id)) for cursor in rest}

    async def _ask(self, holder: str, cursors: list[Cursor], follower: str) -> dict[Cursor, Frames]:
        """What the holder has of these runs; nothing of those that it does not hold."""
        if holder == self._holder:
            return {}
        try:
            told = await self._bus.call(runs.HELD, AskFrames(cursors, follower), timeout=_HOLDER_SECONDS, to=holder)
        except Fault as fault:
            log.warning("A holder of runs does not answer", extra={"holder": holder, "error": fault.message})
            return {}
        return {cursor: frames for cursor, frames in zip(cursors, told, strict=True) if frames.found}

    async def _stored(self, cursor: Cursor, kept: Kept | None) -> Frames:
        if kept is None or kept.run.workspace_id != cursor.workspace_id:
            return Frames(cursor.run_id, False)
        run = kept.run
        if kept.frames is None:
            frames = await parts.of(self._database, run.id, run.attempt)
        else:
            frames = restored(Recorded(run.output, run.thinking, kept.frames), run.attempt)
        return _answer(run.id, run.status, following(frames, cursor))


def _answer(run_id: UUID, status: runs.Status, frames: list[runs.Frame]) -> Frames:
    """As much as one answer holds, one frame at least."""
    size = 0
    for place, frame in enumerate(frames):
        size += weight(frame)
        if size > ANSWER and place:
            return Frames(run_id, True, runs.Status.RUNNING, frames[:place], more=True)
    return Frames(run_id, True, status, frames)


def _goes_on(kept: Kept | None) -> bool:
    return kept is not None and kept.run.status is runs.Status.RUNNING


def _status(live: Live) -> runs.Status:
    """A run whose last frame is out has ended, though it may still be here."""
    match live.recording.frames[-1].body if live.recording.frames else None:
        case runs.Done():
            return runs.Status.SUCCEEDED
        case runs.Failed():
            return runs.Status.FAILED
        case runs.Cancelled():
            return runs.Status.CANCELLED
        case _:
            return runs.Status.RUNNING


def _joined(live: Live, cursor: Cursor) -> list[runs.Frame]:
    """What the reader has not seen. From here on it listens: what comes next is published."""
    recording = live.recording
    if cursor.attempt <= recording.attempt and not live.followed:
        live.followed = True
        recording.flush()
        recording.sent = len(recording.frames)
    return recording.after(cursor)
