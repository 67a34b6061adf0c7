"""Following runs: every mode of reading one is this.

Subscribe, and ask the run's holder for what came before; from then on the feed. What is missing (a gap, an overflow, a
reconnection, two seconds of silence) is asked for again: all readers of this process together, in one question.
"""

import asyncio
import logging
import weakref
from collections.abc import AsyncIterator, Iterator
from uuid import UUID

from msgspec import structs

from libs.bus import metrics
from libs.bus.bus import Bus
from libs.bus.connection import Lost
from libs.bus.feeds import Feeds
from libs.bus.presence import Presence
from libs.bus.reader import SILENCE, Reader
from libs.contracts import feed, runs
from libs.contracts.faults import Code, Fault, not_found
from libs.runtime.tasks import Tasks

log = logging.getLogger(__name__)

_TICK = 0.25
_ASK_SECONDS = 3.0
_CURSORS_A_QUESTION = 500
_PAST_EVERY_FRAME = 2**31 - 1
_GRACE = 1.0
# A run that no process knows of for longer went down with the one that was to accept it; a durable one may be asked for
# again at once, since its id stands for one run whoever has it.
_UNKNOWN_SECONDS = 30.0


class Following(AsyncIterator[feed.Frame]):
    """The frames of a run, each once and in order, to its terminal one. `aclose` it where it is left earlier."""

    def __init__(self, follower: "Follower", reader: Reader, *, opened: bool = False) -> None:
        self._follower, self._reader, self._opened = follower, reader, opened
        # An iterator that is let go without a word must not keep its subscription.
        weakref.finalize(self, follower.abandon, reader).atexit = False

    async def open(self) -> None:
        """Raises Fault NOT_FOUND where the workspace has no such run. Asking for the first frame does this, too."""
        if not self._opened:
            self._opened = True
            await self._follower.open(self._reader)

    async def __anext__(self) -> feed.Frame:
        await self.open()
        try:
            frame = await self._reader.next()
        except Fault:
            await self.aclose()
            raise
        if frame is None or frame.ends:
            await self.aclose()
        if frame is None:
            raise StopAsyncIteration
        return frame

    async def aclose(self) -> None:
        await self._follower.leave(self._reader)


class Follower:
    """Follows runs over one bus connection; a gateway gives it one of its own, so that large replies delay no frame.

    What it follows it says to their holders: a run may end that nobody follows any more.
    """

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._feeds, self._presence = Feeds(bus), Presence(bus)
        self._loop = asyncio.get_running_loop()
        self._readers: set[Reader] = set()
        self._pressing: set[Reader] = set()
        self._pressed = asyncio.Event()
        self._tasks = Tasks()
        self._watched = False
        bus.connection.on_reconnect(self._reconnected)

    async def start(self, request: runs.StartRun, *, timeout: float = 10.0) -> tuple[runs.Run, Following]:
        """Start a run and follow it from its first frame. Raises the Fault with which it was not accepted."""
        reader = self._reader(feed.Cursor(request.workspace_id, request.run_id))
        self._presence.join(reader)
        reader.starting = True
        try:
            await self._subscribe(reader)
            run = await self._bus.call(runs.START, self._followed(request), timeout=timeout)
            reader.starting = False
        except BaseException as error:
            if _is_refusal(error):
                reader.stop()
            await self.leave(reader)
            raise
        if run.status in runs.ENDED or run.attempt > 1:
            # It ran before this call: its frames are asked for, not waited for.
            reader.miss()
        return run, Following(self, reader, opened=True)

    def follow(self, cursor: feed.Cursor) -> Following:
        """The frames after `cursor`, the past ones first."""
        return Following(self, self._reader(cursor))

    async def finish(self, request: runs.StartRun, *, timeout: float) -> runs.Run:
        """Start a run and wait for `timeout` seconds at most until it ended. A reply that was lost is asked for."""
        past_all = feed.Cursor(request.workspace_id, request.run_id, _PAST_EVERY_FRAME, _PAST_EVERY_FRAME)
        reader = self._reader(past_all)
        self._presence.join(reader)
        started = asyncio.ensure_future(self._bus.call(runs.START, self._followed(request), timeout=timeout))
        ended = asyncio.ensure_future(reader.ended())
        self._watch_over(reader)
        try:
            async with asyncio.timeout(timeout + _GRACE):
                run = await self._outcome(request, started, ended)
            reader.stop()
            return run
        except TimeoutError:
            raise Fault(Code.TIMEOUT, "The run did not end in time.") from None
        except Fault as fault:
            if _is_refusal(fault):
                reader.stop()
            raise
        finally:
            started.cancel()
            await self.leave(reader)
            await asyncio.gather(started, ended, return_exceptions=True)

    async def _outcome(
        self, request: runs.StartRun, started: "asyncio.Future[runs.Run]", ended: "asyncio.Future[bool]"
    ) -> runs.Run:
        await asyncio.wait({started, ended}, return_when=asyncio.FIRST_COMPLETED)
        if not started.done():
            await asyncio.wait({started}, timeout=_GRACE if ended.result() or request.durable else _UNKNOWN_SECONDS)
        if not started.done() and not ended.result():
            raise Fault(Code.UNAVAILABLE, "The process that was to start the run is gone: try again.", retry_after=1)
        try:
            if started.done():
                return started.result()
        except Lost as lost:
            if not lost.heard or not await ended:
                raise
        return await self._bus.call(runs.GET, runs.GetRun(request.workspace_id, request.run_id))

    async def close(self) -> None:
        """Those who still iterate get Fault UNAVAILABLE."""
        self._bus.connection.off_reconnect(self._reconnected)
        for reader in list(self._readers):
            reader.fail(Fault(Code.UNAVAILABLE, "The service stops; follow the run again.", retry_after=1))
            await self.leave(reader)
        await self._presence.say_left()
        await self._tasks.cancel()

    async def open(self, reader: Reader) -> None:
        try:
            await self._subscribe(reader)
            answers = await self._bus.call(feed.FRAMES, feed.AskFrames([reader.ask()], self._presence.name))
            if not any(answer.found for answer in answers):
                raise not_found("run", reader.run_id)
        except BaseException:
            await self.leave(reader)
            raise
        if reader in self._readers:
            self._presence.join(reader)
        reader.answered(answers[0])

    async def leave(self, reader: Reader) -> None:
        self._presence.leave(reader)
        self._readers.discard(reader)
        self._pressing.discard(reader)
        reader.stop()
        await self._feeds.leave(reader)

    def abandon(self, reader: Reader) -> None:
        """Called when an iterator is collected, in whatever thread."""
        if reader in self._readers and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(lambda: self._tasks.start(self.leave(reader)))

    def _followed(self, request: runs.StartRun) -> runs.StartRun:
        return structs.replace(request, follower=self._presence.name)

    def _reader(self, cursor: feed.Cursor) -> Reader:
        return Reader(cursor, self._press)

    async def _subscribe(self, reader: Reader) -> None:
        if not self._bus.connected:
            raise Lost(heard=False)
        self._watch_over(reader)
        await self._feeds.join(reader)

    def _watch_over(self, reader: Reader) -> None:
        if not self._readers:
            self._pressed.set()
        self._readers.add(reader)
        if not self._watched:
            self._watched = True
            for work in (self._watch(), self._presence.tell_all(), self._presence.tell_left()):
                self._tasks.start(work)

    def _reconnected(self) -> None:
        for reader in self._readers:
            reader.miss()

    def _press(self, reader: Reader) -> None:
        """A reader lacks something now."""
        if reader in self._readers:
            self._pressing.add(reader)
            self._pressed.set()

    async def _watch(self) -> None:
        while True:
            pressed = await self._woken()
            if not self._bus.connected:
                continue
            due = self._pressing_ones() if pressed else self._silent_ones()
            for places in _questions(due):
                readers = [reader for together in places for reader in together]
                for reader in readers:
                    reader.ask()
                question = feed.AskFrames([together[0].cursor for together in places], self._presence.name)
                metrics.ASKED_AGAIN.labels("gap" if pressed else "silence").inc(len(readers))
                self._tasks.start(self._ask(question, readers))

    async def _woken(self) -> bool:
        """True when a reader pressed, False at the tick that looks for silent ones."""
        try:
            async with asyncio.timeout(_TICK if self._readers else None):
                await self._pressed.wait()
        except TimeoutError:
            return False
        self._pressed.clear()
        return True

    def _pressing_ones(self) -> list[Reader]:
        now = self._loop.time()
        due = [reader for reader in self._pressing if reader.wants(now)]
        self._pressing.difference_update(due)
        return due

    def _silent_ones(self) -> list[Reader]:
        """Once one is silent, those that soon would be are asked for with it."""
        now = self._loop.time()
        self._pressing.clear()
        if not any(reader.silent(now, SILENCE) or reader.wants(now) for reader in self._readers):
            return []
        return [reader for reader in self._readers if reader.silent(now, SILENCE / 2) or reader.wants(now)]

    async def _ask(self, question: feed.AskFrames, readers: list[Reader]) -> None:
        answers: dict[UUID, feed.Frames] | None = None
        try:
            told = await self._bus.call(feed.FRAMES, question, timeout=_ASK_SECONDS)
            answers = {answer.run_id: answer for answer in told}
        except Fault as fault:
            log.warning("Runs could not be caught up on", extra={"runs": len(readers), "error": fault.message})
        finally:
            for reader in readers:
                reader.unanswered() if answers is None else reader.answered(answers.get(reader.run_id))


def _is_refusal(error: BaseException) -> bool:
    """Whether the runner said so: then there is no run that goes on."""
    return isinstance(error, Fault) and not isinstance(error, Lost) and error.code is not Code.TIMEOUT


def _questions(readers: list[Reader]) -> Iterator[list[list[Reader]]]:
    """Shares of at most 500 places, in each of them a run but once: its answer is found by its id. Readers who are at
    one place of a run are told together.
    """
    while readers:
        share: dict[UUID, list[Reader]] = {}
        others: list[Reader] = []
        for reader in readers:
            together = share.get(reader.run_id)
            if together is None and len(share) < _CURSORS_A_QUESTION:
                share[reader.run_id] = [reader]
            elif together is not None and together[0].cursor == reader.cursor:
                together.append(reader)
            else:
                others.append(reader)
        yield list(share.values())
        readers = others
