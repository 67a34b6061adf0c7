"""A service as its `build` sees it.

`build` only names what the service serves, hears and runs; nothing of it begins before `build` has returned. It is
called again, on a fresh Service, when a server went away meanwhile.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeVar

from libs.blobs import Blobs
from libs.bus.bus import Bus
from libs.bus.hear import Heard, Reaction
from libs.bus.serve import Served
from libs.contracts.subjects import Event, Rpc
from libs.egress import Egress
from libs.postgres import outbox
from libs.postgres.changes import Changes
from libs.postgres.database import Connection, Database
from libs.runtime.health import Health
from libs.runtime.observing import Observed
from libs.runtime.sealing import Sealer
from libs.runtime.settings import Common
from libs.runtime.stop import for_work
from libs.runtime.work import Work

Req = TypeVar("Req")
Rep = TypeVar("Rep")
F = TypeVar("F")
S = TypeVar("S", bound=Common)


class Serving:
    """One subject that this instance answers, alone or as one of several; `pause` leaves it to those for a while."""

    def __init__(self, begin: Callable[[], Awaitable[Served[Any, Any]]], *, instance: bool = False) -> None:
        self._begin, self.instance = begin, instance
        self._served: Served[Any, Any] | None = None

    async def begin(self) -> None:
        self._served = await self._begin()

    async def pause(self) -> None:
        if self._served is not None:
            await self._served.pause()

    async def resume(self) -> None:
        if self._served is not None:
            await self._served.resume()

    async def stop(self, timeout: float) -> None:
        if self._served is not None:
            await self._served.stop(timeout)


@dataclass(kw_only=True)
class Asked:
    """What `build` asked for."""

    serving: list[Serving] = field(default_factory=list[Serving])
    reactions: list[Reaction[Any]] = field(default_factory=list[Reaction[Any]])
    background: list[tuple[str, Work]] = field(default_factory=list[tuple[str, Work]])
    observed: list[Observed] = field(default_factory=list[Observed])
    around: list[AbstractAsyncContextManager[Any]] = field(default_factory=list[AbstractAsyncContextManager[Any]])
    on_stop: list[Callable[[], Coroutine[Any, Any, object]]] = field(
        default_factory=list[Callable[[], Coroutine[Any, Any, object]]]
    )


@dataclass(kw_only=True)
class Service:
    """What a service stands on, connected and migrated. `stopping` is set as the first thing of a stop."""

    name: str
    instance: str
    settings: Common
    database: Database
    bus: Bus
    blobs: Blobs
    egress: Egress
    changes: Changes
    health: Health
    stopping: asyncio.Event
    private_port: int
    asked: Asked = field(default_factory=Asked)

    @property
    def work_seconds(self) -> float:
        """From the beginning of a stop on, how long what was accepted may take."""
        return for_work(self.settings.stop_seconds)

    @cached_property
    def sealer(self) -> Sealer:
        """Raises ValueError where MASTER_KEYS is not set."""
        return Sealer.of(self.settings.master_keys)

    def serve(
        self, rpc: Rpc[Req, Rep], handler: Callable[[Req], Awaitable[Rep]], *, slots: int = 64, instance: bool = False
    ) -> Serving:
        """Answer `rpc`, up to `slots` requests at a time; with `instance`, under this instance's own name."""
        serving = Serving(lambda: self.bus.serve(rpc, handler, slots=slots, instance=instance), instance=instance)
        self.asked.serving.append(serving)
        return serving

    def hear(
        self,
        event: Event[F],
        apply: Callable[[Connection, list[Heard[F]]], Awaitable[None]],
        *,
        concerns: Callable[[Database, list[Heard[F]]], Awaitable[bool]] | None = None,
    ) -> None:
        """Have `apply` take in a batch of facts, inside the transaction that notes them as heard; but not what
        `concerns` says it would do nothing with.
        """
        self.asked.reactions.append(Reaction(event, apply, concerns))

    def background(self, name: str, work: Work) -> None:
        """Keep `work` running: restarted where it fails, cancelled at the stop. Returning means it is finished."""
        self.asked.background.append((name, work))

    def observe(self, observed: Observed) -> None:
        """Have gauges read every few seconds."""
        self.asked.observed.append(observed)

    def around(self, context: AbstractAsyncContextManager[Any]) -> None:
        """Be inside `context` from when all is served until the stop begins: a public door."""
        self.asked.around.append(context)

    def on_stop(self, work: Callable[[], Coroutine[Any, Any, object]]) -> None:
        """Run `work` when nothing new comes in any more: finish, or give up, what this instance has under way."""
        self.asked.on_stop.append(work)

    async def state(self, connection: Connection, event: Event[F], facts: Sequence[F]) -> None:
        """State facts inside the transaction that makes them true; they are published once it has committed."""
        await outbox.state(connection, event, facts)


Build = Callable[[Service, S], Awaitable[None]]
