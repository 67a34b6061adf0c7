"""The life of a service: everything it needs and does, started in one order and stopped in the reverse one.

Start: private port, Postgres and NATS, migrations, outbox and changes, `build`, background, hearing, serving, the door.
So at the stop the door closes first, accepted work is finished next, what it stated is published, and the servers are
left last. What is asked of this instance alone is answered until its own work is finished.
"""

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from contextlib import AsyncExitStack
from typing import Any, Generic, NamedTuple

from msgspec import structs

from libs.blobs import Blobs
from libs.bus.bus import Bus
from libs.bus.hear import Hearing
from libs.egress import Egress
from libs.postgres.changes import Changes
from libs.postgres.database import Database
from libs.runtime import connecting, metrics, observing
from libs.runtime.foundation import Build, S, Service, Serving
from libs.runtime.health import Health, private_port
from libs.runtime.publishing import Publishing
from libs.runtime.stop import Budget
from libs.runtime.waiting import until
from libs.runtime.work import Inside, Kept, Work

# Of a step's seconds, those for cutting requests off that are not finished by then; a fifth of it at most.
_CUTTING_OFF = 0.8


class Found(NamedTuple):
    private_port: int
    egress: Egress
    blobs: Blobs
    database: Database
    bus: Bus


class Life(Generic[S]):
    """One start and one stop. Each step of the start leaves on the stack what undoes it."""

    def __init__(self, name: str, instance: str, settings: S, build: Build[S], stopping: asyncio.Event) -> None:
        self._name, self._instance, self._settings, self._build = name, instance, settings, build
        self._stopping = stopping
        self._health = Health()
        self._stack = AsyncExitStack()
        self._budget = Budget(settings.stop_seconds)
        self._database: Database | None = None

    async def start(self) -> Service | None:
        """The service, ready; None where it was asked to stop before it was."""
        loop = asyncio.get_running_loop()
        starting, asked = loop.create_task(self._start()), loop.create_task(self._stopping.wait())
        try:
            await asyncio.wait({starting, asked}, return_when=asyncio.FIRST_COMPLETED)
            return starting.result() if starting.done() else None
        finally:
            starting.cancel()
            asked.cancel()
            await asyncio.wait({starting, asked}, timeout=self._budget.share)

    async def stop(self) -> None:
        self._stopping.set()
        self._budget.begin()
        self._health.lacks("stop", "the service is stopping")
        await self._stack.aclose()

    async def _start(self) -> Service:
        found = await self._found()
        self._run("watch", lambda: connecting.watch(self._health, found.database, found.bus))
        publishing = Publishing(found.bus, found.database)
        self._at_stop("outbox", publishing.end)
        await publishing.begin()
        service = await until(self._health, "build", lambda: self._built(found, publishing.changes))
        await self._begin(service)
        self._health.has("start")
        return service

    async def _found(self) -> Found:
        settings, health = self._settings, self._health
        door = private_port(health, settings.private_host, settings.private_port, self._observe)
        port = await self._stack.enter_async_context(door)
        egress = Egress(settings.egress_allow_cidrs)
        self._at_stop("egress", egress.close)
        blobs = await connecting.blobs(settings, health)
        async with asyncio.TaskGroup() as both:
            database = both.create_task(self._postgres())
            bus = both.create_task(self._nats(blobs))
        return Found(port, egress, blobs, database.result(), bus.result())

    async def _postgres(self) -> Database:
        self._database = await connecting.postgres(self._name, self._settings, self._health)
        self._at_stop("postgres", self._database.close)
        await connecting.migrations(self._database, self._health)
        return self._database

    async def _nats(self, blobs: Blobs) -> Bus:
        bus = await connecting.nats(self._name, self._instance, self._settings, self._health, blobs)
        self._at_stop("nats", bus.close)
        await until(self._health, "events", bus.ensure_stream)
        return bus

    async def _built(self, found: Found, changes: Changes) -> Service:
        service = Service(
            name=self._name,
            instance=self._instance,
            settings=self._settings,
            database=found.database,
            bus=found.bus,
            blobs=found.blobs,
            egress=found.egress,
            changes=changes,
            health=self._health,
            stopping=self._stopping,
            private_port=found.private_port,
        )
        await self._build(service, self._settings)
        return service

    async def _begin(self, service: Service) -> None:
        asked = service.asked
        observed = [*observing.of_every_service(service.database), *asked.observed]
        self._run("observing", lambda: observing.observe(observed))
        for name, work in asked.background:
            self._run(name, work)
        self._hear(service)
        self._at_stop("serving", lambda: self._stop_serving(each for each in asked.serving if each.instance))
        for work in asked.on_stop:
            self._at_stop("own work", work)
        self._at_stop("serving", lambda: self._stop_serving(each for each in asked.serving if not each.instance))
        for serving in asked.serving:
            await until(self._health, "serving", serving.begin)
        for context in asked.around:
            inside = Inside(context)
            self._at_stop("door", inside.leave)
            await inside.enter()

    def _hear(self, service: Service) -> None:
        if not service.asked.reactions:
            return
        hearing = Hearing(service.bus, service.database, service=service.name, reactions=service.asked.reactions)
        self._run("hearing", hearing.run)
        self._at_stop("hearing", hearing.stop)

    async def _stop_serving(self, serving: Iterable[Serving]) -> None:
        share = self._budget.share
        seconds = share - min(_CUTTING_OFF, share / 5)
        await asyncio.gather(*(each.stop(seconds) for each in serving))

    def _run(self, name: str, work: Work) -> None:
        kept = Kept()
        kept.start(name, work)
        self._at_stop(name, kept.end)

    def _observe(self) -> None:
        """Sets the gauges that are read when asked for."""
        metrics.READY.labels(self._name, self._instance).set(self._health.ready)
        if self._database is not None:
            for state, count in structs.asdict(self._database.use()).items():
                metrics.CONNECTIONS.labels(self._instance, state).set(count)
            metrics.POOL_REFUSED.labels(self._instance).set(self._database.refused)

    def _at_stop(self, step: str, work: Callable[[], Coroutine[Any, Any, object]]) -> None:
        self._stack.push_async_callback(self._budget.spend, step, work)
