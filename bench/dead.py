"""Webhooks beside a thousand dead endpoints: how much longer 99 of 100 deliveries to those that live take.

Of these one is busy, and has answered just now whenever something is sent there. Others hear of an event every five
seconds, so nobody knows whether they still live: some in workspaces of their own, some beside a hundred of the dead.
A dispatcher without the dead has the same events at the same time, so that what others do on the machine meets both.
Five deliveries wait for each of the dead from the beginning, when nobody knows of them.
"""

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from uuid import UUID

from msgspec import Struct

from bench import measure, rigs, webhooks
from bench.machine import Tree
from bench.sink import Sink
from bench.webhooks import A_SECOND, Delivering
from libs.contracts import ids
from tests.support import backlog, endpoints

DEAD, WAIT, WORKSPACES = 1000, 5, 10
SPARSE, EVERY, SECONDS = 100, 5.0, 10.0

Dying = Callable[[Sink], AbstractAsyncContextManager[str]]


class Living(Struct, frozen=True):
    """A dispatcher's endpoints that live, as workspaces by what they stand for. `each` is how many those beside the
    dead have, the others one.
    """

    one: Delivering
    busy: list[UUID]
    sparse: list[UUID]
    neighbours: list[UUID]
    each: int = SPARSE // WORKSPACES

    async def arrivals(self, seconds: float, a_second: float) -> dict[str, list[float]]:
        """How long deliveries took, in milliseconds."""
        rare = int(max(1, seconds / EVERY))
        plan = [
            *webhooks.evenly(self.busy, int(seconds * a_second), a_second),
            *webhooks.evenly(self.sparse, rare * SPARSE, rare * SPARSE / seconds),
            *webhooks.evenly(self.neighbours, rare * WORKSPACES, rare * WORKSPACES / seconds),
        ]
        count = len(plan) + (self.each - 1) * rare * WORKSPACES
        taken = await webhooks.arrivals(self.one, plan, count=count)
        kinds = {"busy": self.busy, "sparse": self.sparse, "neighbours": self.neighbours}
        return {name: [ms for id in workspaces for ms in taken[id]] for name, workspaces in kinds.items()}


@asynccontextmanager
async def _living() -> AsyncIterator[Living]:
    """All have answered once, and the rare ones not just now."""
    async with webhooks.delivering() as one:
        sparse, neighbours = ([ids.new() for _ in range(count)] for count in (SPARSE, WORKSPACES))
        living = Living(one, [one.workspace], sparse, neighbours)
        url = one.rig.sink.url + "/hook"
        for workspace in sparse:
            await endpoints.make(one.rig.database, workspace, [url])
        for workspace in neighbours:
            await endpoints.make(one.rig.database, workspace, [url] * living.each)
        await living.arrivals(EVERY / 2, A_SECOND)
        await asyncio.sleep(1.5)
        yield living


async def beside(dying: Dying) -> measure.Stretch:
    """At first, and when all are known to fail."""
    async with _living() as alone, _living() as beside, dying(beside.one.rig.sink) as url:
        pids = (each.one.dispatcher.processes[0].pid for each in (alone, beside))
        measured, database = webhooks.meter(Tree(*pids)), beside.one.rig.database
        made = [await endpoints.make(database, id, [url] * (DEAD // WORKSPACES)) for id in beside.neighbours]
        dead = [id for some in zip(*made, strict=True) for id in some]
        await database.execute("UPDATE endpoints SET events = '{test.ping}' WHERE id = ANY($1)", dead)
        await backlog.add(database, dead, DEAD * WAIT)
        figures = {f"first_{name}": value for name, value in (await _side_by_side(alone, beside)).items()}
        await database.execute("UPDATE endpoints SET failing_since = now() WHERE id = ANY($1)", dead)
        await asyncio.sleep(2)
        figures |= await _side_by_side(alone, beside)
        return measure.Stretch(figures, 0, measured.read())


async def _side_by_side(alone: Living, beside: Living) -> measure.Figures:
    without, with_them = await asyncio.gather(*(each.arrivals(SECONDS, A_SECOND / 2) for each in (alone, beside)))
    figures: measure.Figures = {}
    for kind in without:
        before, after = webhooks.percentiles(without[kind]), webhooks.percentiles(with_them[kind])
        figures |= {f"{kind}_alone_{name}": value for name, value in before.items()}
        figures |= {f"{kind}_beside_{name}": value for name, value in after.items()}
        figures |= {f"{kind}_{name}_ratio": after[name] / before[name] for name in before}
    return figures


@asynccontextmanager
async def _silent(sink: Sink) -> AsyncIterator[str]:
    yield sink.url + "/never"


@asynccontextmanager
async def _dripping(sink: Sink) -> AsyncIterator[str]:
    yield sink.url + "/drip"


@asynccontextmanager
async def _refusing(_: Sink) -> AsyncIterator[str]:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield _url(bound)


@asynccontextmanager
async def _black_hole(_: Sink) -> AsyncIterator[str]:
    """Whoever connects is not even refused: the listener takes nobody, and its line is full."""
    with socket.socket() as bound, socket.socket() as first, socket.socket() as second:
        bound.bind(("127.0.0.1", 0))
        bound.listen(0)
        for each in (first, second):
            each.setblocking(False)
            each.connect_ex(bound.getsockname())
        yield _url(bound)


def _url(bound: socket.socket) -> str:
    return f"http://127.0.0.1:{bound.getsockname()[1]}/hook"


async def run(*, quick: bool) -> dict[str, measure.Figures]:
    os.sched_setaffinity(0, {rigs.LOAD_CORE})
    stretches = {
        "never answer": lambda: beside(_silent),
        "drip": lambda: beside(_dripping),
        "refuse": lambda: beside(_refusing),
        "can't be connected to": lambda: beside(_black_hole),
    }
    found: dict[str, measure.Figures] = {}
    for name, stretch in stretches.items():
        print(f"  1,000 endpoints that {name}", flush=True)
        found[name] = await measure.medians(stretch, 1 if quick else measure.REPEATS)
    os.sched_setaffinity(0, {rigs.ENGINE_CORE, rigs.LOAD_CORE})
    return found
