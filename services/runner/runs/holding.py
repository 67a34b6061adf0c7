"""The runs that this process holds, and the room it has for more.

The rule: a runner without a free slot leaves the queue of starts to the others, and comes back when it has one.
"""

import asyncio
import time
from collections.abc import Callable, Iterator
from uuid import UUID

from libs.contracts.faults import Code, Fault
from libs.runtime.foundation import Serving
from services.runner import metrics
from services.runner.runs.live import Live

# Seconds for which a run that has ended here is still known by its id.
_REMEMBERED = 2.0


# Of the slots, the share that runs from the queue leave to those whose caller waits; one at least.
_KEPT_FREE = 8


def _nobody() -> None:
    """Nobody wants to know."""


class Holding:
    """`coming` are claimed runs which are not yet held; `on_room` is told when a slot comes free."""

    def __init__(self, slots: int) -> None:
        self._slots = slots
        self._for_the_queue = slots - max(slots // _KEPT_FREE, min(1, slots - 1))
        self.coming: set[UUID] = set()
        self.on_room: Callable[[], None] = _nobody
        self._taken = 0
        self._live: dict[UUID, Live] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._moved = asyncio.Event()
        self._ended: dict[UUID, float] = {}
        metrics.SLOTS.labels("all").set(slots)
        metrics.SLOTS.labels("taken").set_function(lambda: self._taken)

    def __iter__(self) -> Iterator[Live]:
        return iter(list(self._live.values()))

    def get(self, run_id: UUID) -> Live | None:
        return self._live.get(run_id)

    @property
    def room(self) -> int:
        """How many runs of the queue may begin."""
        return max(0, self._for_the_queue - self._taken)

    def has(self, run_id: UUID) -> bool:
        return run_id in self._live or run_id in self.coming

    def take_slot(self) -> None:
        """Raises Fault UNAVAILABLE where none is free."""
        if self._taken >= self._slots:
            raise Fault(Code.UNAVAILABLE, "As many runs as there is room for are going on: try again.", retry_after=1)
        self.occupy_slot()

    def occupy_slot(self) -> None:
        """For a run that is here already, even where there is no room."""
        self._taken += 1
        if self._taken == self._slots:
            self._moved.set()

    def free_slot(self) -> None:
        if self._taken == self._slots:
            self._moved.set()
        self._taken -= 1
        self.on_room()

    def hold(self, live: Live, task: "asyncio.Task[None]") -> None:
        """The run is here until it is let go; its task is owned here until it is done."""
        self._live[live.id] = live
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def let_go(self, live: Live) -> None:
        del self._live[live.id]
        self.free_slot()
        self._remember(live.id)

    def has_ended(self, run_id: UUID) -> bool:
        """Whether it was here not long ago."""
        return run_id in self._ended

    def _remember(self, run_id: UUID) -> None:
        now = time.monotonic()
        self._ended[run_id] = now
        while self._ended[first := next(iter(self._ended))] < now - _REMEMBERED:
            del self._ended[first]

    async def keep_queue(self, starts: Serving) -> None:
        """Take part in the queue of starts while there is room. For ever."""
        while True:
            await self._moved.wait()
            self._moved.clear()
            await (starts.resume() if self._taken < self._slots else starts.pause())

    async def finish(self, seconds: float | None = None) -> bool:
        """Wait so long, or as long as it takes, for the runs that go on; whether all have ended."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=seconds)
        return not self._tasks
