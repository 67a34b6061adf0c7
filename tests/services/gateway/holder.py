"""A runner that holds one run, for what the gateway makes of its frames."""

from libs.bus.bus import Bus
from libs.contracts import feed, runs
from tests.dialects.klu.examples import RUN, started
from tests.services.gateway.peers import Door


class Holder:
    """A runner that holds one run: its frames are given out as the test says."""

    def __init__(self, bus: Bus) -> None:
        self.bus = bus
        self.frames: list[feed.Frame] = []
        self.run_id, self.attempt = RUN, 1

    def accept(self, start: runs.StartRun) -> runs.Run:
        self.frames, self.run_id, self.attempt = [], start.run_id, 1
        return started(start, status=runs.Status.RUNNING, output="", finished_at=None)

    def after(self, question: feed.AskFrames) -> list[feed.Frames]:
        return [self._after(cursor) for cursor in question.cursors]

    def _after(self, cursor: feed.Cursor) -> feed.Frames:
        if cursor.run_id != self.run_id:
            return feed.Frames(cursor.run_id, found=False)
        later = [frame for frame in self.frames if (frame.attempt, frame.n) > (cursor.attempt, cursor.after)]
        ended = bool(self.frames) and self.frames[-1].ends
        return feed.Frames(cursor.run_id, True, runs.Status.SUCCEEDED if ended else runs.Status.RUNNING, later)

    async def emit(self, *bodies: feed.Body) -> None:
        for body in bodies:
            self.frames.append(feed.Frame(self.attempt, len(self.frames) + 1, body))
            await self.bus.publish(feed.FEED, self.run_id, self.frames[-1])

    async def restart(self, *bodies: feed.Body) -> None:
        """Another takes the run up again, in its next attempt."""
        self.attempt, self.frames = self.attempt + 1, []
        await self.emit(feed.Restarted(), *bodies)


async def holding(door: Door) -> Holder:
    holder = Holder(door.peers.buses["runner"])
    await door.peers.answer(runs.START, holder.accept)
    await door.peers.answer(runs.ENQUEUE, holder.accept)
    await door.peers.answer(feed.FRAMES, holder.after)
    return holder
