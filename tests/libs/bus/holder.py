"""A runner as a follower sees it: it numbers and publishes frames, keeps them, and answers for them."""

import asyncio
from datetime import UTC, datetime
from uuid import UUID

from libs.bus.bus import Bus
from libs.contracts import feed, ids, runs
from libs.contracts.faults import not_found

DONE = feed.Done("stop", runs.Usage(), 1.0)


def request(workspace_id: UUID | None = None, **fields) -> runs.StartRun:
    return runs.StartRun(workspace_id or ids.new(), ids.new(), ids.new(), "inputs", "test", **fields)


def tokens(first: int, last: int, *, attempt: int = 1) -> list[feed.Frame]:
    return [feed.Frame(attempt, n, feed.Token(f"{attempt}.{n} ")) for n in range(first, last + 1)]


class Holder:
    """`asked` counts the cursors of each question; START answers when `accept` is set, or with `fault`."""

    def __init__(self, bus: Bus) -> None:
        self.bus = bus
        self.asked: list[int] = []
        self.accept = asyncio.Event()
        self.accept.set()
        self.fault: Exception | None = None
        self._runs: dict[UUID, tuple[runs.StartRun, list[feed.Frame]]] = {}

    async def serve(self) -> None:
        await self.bus.serve(runs.START, self.start)
        await self.bus.serve(feed.FRAMES, self.frames)
        await self.bus.serve(runs.GET, self.get)

    async def start(self, start: runs.StartRun) -> runs.Run:
        self._runs.setdefault(start.run_id, (start, []))
        await self.accept.wait()
        if self.fault is not None:
            raise self.fault
        return self._run(start.run_id)

    async def get(self, get: runs.GetRun) -> runs.Run:
        return self._run(get.run_id)

    async def frames(self, question: feed.AskFrames) -> list[feed.Frames]:
        self.asked.append(len(question.cursors))
        return [self._after(cursor) for cursor in question.cursors]

    def begin(self, start: runs.StartRun) -> None:
        self._runs[start.run_id] = start, []

    def lose(self, start: runs.StartRun) -> None:
        del self._runs[start.run_id]

    async def emit(self, start: runs.StartRun, *frames: feed.Frame, heard: bool = True) -> None:
        """Keep frames and publish them; not `heard`: as if the feed had dropped them."""
        for frame in frames:
            self._runs[start.run_id][1].append(frame)
            if heard:
                await self.bus.publish(feed.FEED, start.run_id, frame)

    def _after(self, cursor: feed.Cursor) -> feed.Frames:
        start, frames = self._runs.get(cursor.run_id, (None, []))
        if start is None or start.workspace_id != cursor.workspace_id:
            return feed.Frames(cursor.run_id, found=False)
        after = [frame for frame in frames if (frame.attempt, frame.n) > (cursor.attempt, cursor.after)]
        return feed.Frames(cursor.run_id, True, self._status(frames), after)

    def _status(self, frames: list[feed.Frame]) -> runs.Status:
        return runs.Status.SUCCEEDED if frames and frames[-1].ends else runs.Status.RUNNING

    def _run(self, run_id: UUID) -> runs.Run:
        if run_id not in self._runs:
            raise not_found("run", run_id)
        start, frames = self._runs[run_id]
        texts = [frame.body.text for frame in frames if isinstance(frame.body, feed.Token)]
        return runs.Run(
            id=run_id,
            workspace_id=start.workspace_id,
            action_id=start.action_id,
            action_version=1,
            status=self._status(frames),
            mode=start.mode,
            voice=start.voice,
            inputs=start.inputs,
            prompt=[],
            output="".join(texts),
            thinking="",
            model="model",
            provider="provider",
            usage=runs.Usage(),
            finish_reason="",
            sources=[],
            metadata={},
            created_at=datetime.now(UTC),
        )
