"""Webhooks beside a thousand dead endpoints: how much longer 99 of 100 deliveries to one that lives take.

A dispatcher without them has the same events at the same time, so that what others do on the machine meets both. Five
deliveries wait for each of the dead from the beginning, when nobody knows of them.
"""

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from bench import measure, rigs, webhooks
from bench.machine import Tree
from bench.sink import Sink
from bench.webhooks import A_SECOND, EVENTS, Delivering
from tests.support import backlog

DEAD, WAIT = 1000, 5

Dying = Callable[[Sink], AbstractAsyncContextManager[str]]


async def beside(dying: Dying, *, known: bool = False) -> measure.Stretch:
    """At first, and where it is asked for also when all are `known` to fail."""
    async with webhooks.delivering() as alone, webhooks.delivering() as beside, dying(beside.rig.sink) as url:
        measured = webhooks.meter(Tree(*(each.dispatcher.processes[0].pid for each in (alone, beside))))
        dead = await beside.rig.endpoints(10, DEAD // 10, url)
        await backlog.add(beside.rig.database, dead, DEAD * WAIT)
        figures = {f"first_{name}": value for name, value in (await _side_by_side(alone, beside)).items()}
        if known:
            await beside.rig.database.execute("UPDATE endpoints SET failing_since = now() WHERE id = ANY($1)", dead)
            await asyncio.sleep(2)
            figures |= await _side_by_side(alone, beside)
        return measure.Stretch(figures, 0, measured.read())


async def _side_by_side(alone: Delivering, beside: Delivering) -> measure.Figures:
    count, a_second = EVENTS // 2, A_SECOND // 2
    taken = await asyncio.gather(*(webhooks.arrivals(one, count=count, a_second=a_second) for one in (alone, beside)))
    without, with_them = map(webhooks.percentiles, taken)
    figures = {f"alone_{name}": value for name, value in without.items()}
    figures |= {f"beside_{name}": value for name, value in with_them.items()}
    return figures | {f"{name}_ratio": with_them[name] / without[name] for name in without}


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
        "never answer": lambda: beside(_silent, known=True),
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
