"""Lingering: a run that nobody reads any more goes on for a while, and then ends with what it has said.

A streaming run waits for its reader to come back, a blocking one has lost the only caller that its answer was for.
Asynchronous runs, and those that a caller may ask for again under their key, go on to their end.
"""

import asyncio
import math

from libs.bus.bus import Bus
from libs.contracts import followers
from libs.contracts.faults import Code, Failure
from libs.contracts.runs import Mode, StartRun, Status
from services.runner.runs.audience import Audience
from services.runner.runs.ear import Ear
from services.runner.runs.holding import Holding
from services.runner.runs.live import Live

_TICK = 0.5
_UNREAD = Failure(Code.UNAVAILABLE, "The run was ended because nobody was reading it: start it again.", None, 1.0)


class Lingering:
    """`seconds`: for how long a streaming run goes on without a follower."""

    def __init__(self, bus: Bus, holding: Holding, seconds: float) -> None:
        self._bus, self._holding, self._seconds = bus, holding, seconds
        self._ear = Ear(bus)
        self._listening = False

    def begin(self, live: Live) -> None:
        """From here on the run has followers, or may end for want of them."""
        request = live.accepted.request
        if request.mode is Mode.ASYNC:
            return
        live.audience = Audience(self._ear, self._patience(request))
        live.followed_by(request.follower)
        if not request.durable and not request.follower and request.unfollowed_seconds is not None:
            live.audience.expect(request.unfollowed_seconds)

    def _patience(self, request: StartRun) -> float:
        if request.durable:
            return math.inf
        return self._seconds if request.mode is Mode.STREAMING else 0.0

    async def run(self) -> None:
        """Look for ever."""
        if not self._listening:
            await self._bus.hear_feed(followers.FEED, self._hear)
            self._listening = True
        while True:
            await asyncio.sleep(_TICK)
            await self._look()

    def _hear(self, said: followers.Followed) -> None:
        for run_id in said.runs:
            if (live := self._holding.get(run_id)) is not None:
                live.followed_by(said.follower)
        for run_id in said.left:
            live = self._holding.get(run_id)
            if live is not None and live.audience is not None:
                live.audience.leave(said.follower)
                _end_if_unread(live, live.audience)

    async def _look(self) -> None:
        watched = [(live, live.audience) for live in self._holding if live.audience is not None]
        if not watched:
            self._ear.rest()
            return
        await self._ear.listen()
        for live, audience in watched:
            audience.forget_silent()
            _end_if_unread(live, audience)


def _end_if_unread(live: Live, audience: Audience) -> None:
    if audience.gone:
        live.stop(Status.CANCELLED, _UNREAD)
