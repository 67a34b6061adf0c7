"""Telling: a run's frames, as they come, as the events of a voice's stream."""

from collections.abc import AsyncIterable, Iterable
from typing import Protocol

from libs.contracts import feed
from libs.contracts.faults import Fault
from services.gateway.http.sse import Stream, Written


class Telling(Protocol):
    """A voice's way to tell one run. Once it has `ended` there is no more to tell."""

    ended: bool

    def of(self, frame: feed.Frame) -> Iterable[Written]: ...

    def broke_off(self, fault: Fault) -> Iterable[Written]:
        """Nothing more is known of the run."""
        ...


async def tell(stream: Stream, frames: AsyncIterable[feed.Frame], telling: Telling) -> None:
    """What goes wrong from here on is told within the stream."""
    try:
        async for frame in frames:
            for event in telling.of(frame):
                await stream.write(event)
            if telling.ended:
                break
    except Fault as fault:
        for event in telling.broke_off(fault):
            await stream.write(event)
