"""Reading runs, wherever they are: in this process, with their holder, or in Postgres once they have ended."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar
from uuid import UUID

from libs.bus.bus import Bus
from libs.bus.order import ANSWER, weight
from libs.contracts import feed, runs
from libs.contracts.faults import Fault, not_found
from libs.contracts.feed import AskFrames, Cursor, Frames
from libs.contracts.paging import Page
from libs.contracts.runs import GetRun, PageRuns, Run
from libs.postgres.database import Database
from services.runner.runs import account
from services.runner.runs.ended import Ended
from services.runner.runs.fence import Fence
from services.runner.runs.frames import following
from services.runner.runs.holding import Holding
from services.runner.runs.live import Live
from services.runner.store import parts
from services.runner.store import runs as stored
from services.runner.store.runs import Standing

log = logging.getLogger(__name__)

T = TypeVar("T")

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
        self._ended = Ended(database)

    async def get(self, asked: GetRun) -> Run:
        live = self._held(asked.run_id)
        if live is not None and live.workspace_id == asked.workspace_id and not live.ended.done():
            return self.of(live)
        kept = (await _looked_for(stored.get, self._database, [asked.run_id])).get(asked.run_id)
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
        found = await _looked_for(stored.standing, self._database, list({cursor.run_id for cursor in cursors}))
        holders: dict[str, list[Cursor]] = {}
        for cursor in cursors:
            if (run := found.get(cursor.run_id)) and run.status is runs.Status.RUNNING:
                holders.setdefault(run.holder, []).append(cursor)
        answers: dict[Cursor, Frames] = {}
        for answered in await asyncio.gather(
            *(self._ask(holder, asked, follower) for holder, asked in holders.items())
        ):
            answers |= answered
        if silent := {cursor.run_id for asked in holders.values() for cursor in asked if cursor not in answers}:
            # It ended while its holder was asked, or its holder is dead.
            found |= await stored.standing(self._database, list(silent))
        return answers | await self._stored([cursor for cursor in cursors if cursor not in answers], found)

    async def _ask(self, holder: str, cursors: list[Cursor], follower: str) -> dict[Cursor, Frames]:
        """What the holder has of these runs; nothing of those that it does not hold."""
        if holder == self._holder:
            return {}
        try:
            told = await self._bus.call(feed.HELD, AskFrames(cursors, follower), timeout=_HOLDER_SECONDS, to=holder)
        except Fault as fault:
            log.warning("A holder of runs does not answer", extra={"holder": holder, "error": fault.message})
            return {}
        return {cursor: frames for cursor, frames in zip(cursors, told, strict=True) if frames.found}

    async def _stored(self, cursors: list[Cursor], found: dict[UUID, Standing]) -> dict[Cursor, Frames]:
        """What Postgres has. A run that was corrected since it was found is told as it is now."""
        asked = {run.id: run for cursor in cursors if (run := _of(cursor, found))}
        frames = await self._ended.of([run for run in asked.values() if run.status in runs.ENDED])
        for run in asked.values():
            if run.status not in runs.ENDED:
                frames[run.id] = await parts.of(self._database, run.id, run.attempt)
        return {
            cursor: _answer(run.id, run.status, following(frames[run.id], cursor))
            if (run := _of(cursor, found)) and run.id in frames
            else Frames(cursor.run_id, False)
            for cursor in cursors
        }


def _of(cursor: Cursor, found: dict[UUID, Standing]) -> Standing | None:
    """The run, where it is of the workspace that asks for it."""
    run = found.get(cursor.run_id)
    return run if run is not None and run.workspace_id == cursor.workspace_id else None


async def _looked_for(
    look: Callable[[Database, list[UUID]], Awaitable[dict[UUID, T]]], database: Database, ids: list[UUID]
) -> dict[UUID, T]:
    """What `look` finds of these runs; those waited for that may be on their way."""
    found = await look(database, ids)
    missing = [id for id in ids if id not in found]
    while missing and (missing := [id for id in missing if abs(age(id)) < _YOUNG_SECONDS]):
        await asyncio.sleep(_LOOK_AGAIN)
        found |= await look(database, missing)
        missing = [id for id in missing if id not in found]
    return found


def _answer(run_id: UUID, status: runs.Status, frames: list[feed.Frame]) -> Frames:
    """As much as one answer holds, one frame at least."""
    size = 0
    for place, frame in enumerate(frames):
        size += weight(frame)
        if size > ANSWER and place:
            return Frames(run_id, True, runs.Status.RUNNING, frames[:place], more=True)
    return Frames(run_id, True, status, frames)


def _status(live: Live) -> runs.Status:
    """A run whose last frame is out has ended, though it may still be here."""
    match live.recording.frames[-1].body if live.recording.frames else None:
        case feed.Done():
            return runs.Status.SUCCEEDED
        case feed.Failed():
            return runs.Status.FAILED
        case feed.Cancelled():
            return runs.Status.CANCELLED
        case _:
            return runs.Status.RUNNING


def _joined(live: Live, cursor: Cursor) -> list[feed.Frame]:
    """What the reader has not seen. From here on it listens: what comes next is published."""
    recording = live.recording
    if cursor.attempt <= recording.attempt and not live.followed:
        live.followed = True
        recording.flush()
        recording.sent = len(recording.frames)
    return recording.after(cursor)
