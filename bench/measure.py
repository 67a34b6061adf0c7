"""The measurements, each over one rig.

A stretch with errors, or in which others took over a tenth of the machine, is void.
"""

import asyncio
import itertools
import os
import re
import time
from collections.abc import Awaitable, Callable
from statistics import median

from msgspec import Struct

from bench import load, rigs
from bench.machine import Meter, Spent, Tree

WARM_UP, STRETCH, REPEATS = 6.0, 6.0, 3
FOREIGN_LIMIT = 0.10
# As each voice spells the next piece of an answer, and not where it says the whole of it once more.
TEXT = re.compile(rb'(?:"token"|"content"|"output"|"delta"|"token", "data"): ?"([^"]*)"')

Figures = dict[str, float]


class Stretch(Struct):
    figures: Figures
    errors: int
    spent: Spent

    @property
    def void(self) -> str:
        if self.errors:
            return f"{self.errors} errors"
        return f"{self.spent.foreign:.0%} foreign CPU" if self.spent.foreign > FOREIGN_LIMIT else ""


async def medians(stretch: Callable[[], Awaitable[Stretch]], repeats: int = REPEATS) -> Figures:
    """Each figure's median over the stretches that count; `void` says how many did not."""
    stretches = [await stretch() for _ in range(repeats)]
    for each in stretches:
        if each.void:
            print(f"    void: {each.void}", flush=True)
    good = [each for each in stretches if not each.void] or stretches
    figures = {name: median(each.figures[name] for each in good) for name in good[0].figures}
    return figures | {"void": float(len([each for each in stretches if each.void]))}


def meter(rig: rigs.Rig, upstream: Tree) -> Meter:
    ours = Tree(os.getpid())
    ours.processes += [each for each in rig.tree.processes + upstream.processes if each not in ours.processes]
    return Meter(rig.tree, ours)


async def throughput(rig: rigs.Rig, model: str, upstream: Tree, *, connections: int = 32) -> Stretch:
    feed = itertools.cycle(rig.sessions)

    def requests() -> "itertools.chain[bytes]":
        mine = [next(feed) for _ in range(len(rig.sessions) // connections)]
        return rigs.blocking(rigs.msgspec.structs.replace(rig, sessions=mine), model)

    measured = meter(rig, upstream)
    answers = await load.saturate(rig.url, requests, connections=connections, seconds=STRETCH)
    spent = measured.read()
    figures = {"requests_per_second": answers.per_second, "p50_ms": load.percentile(answers.latencies, 0.5)}
    figures |= {"p99_ms": load.percentile(answers.latencies, 0.99)}
    figures |= {f"cpu_share {name}": cpu / spent.seconds for name, cpu in spent.by_process.items() if cpu > 0.01}
    return Stretch(figures, answers.errors, spent)


async def alone(rig: rigs.Rig, model: str, upstream: Tree) -> Stretch:
    measured = meter(rig, upstream)
    answers = await load.saturate(rig.url, lambda: rigs.blocking(rig, model), connections=1, seconds=STRETCH / 2)
    figures = {"p50_ms": load.percentile(answers.latencies, 0.5), "p99_ms": load.percentile(answers.latencies, 0.99)}
    return Stretch(figures, answers.errors, measured.read())


class Reader:
    """Reads one streamed answer and notes when each of its tokens came, and how long it had been on its way."""

    def __init__(self) -> None:
        self.first_ms = float("nan")
        self.transits_ms: list[float] = []

    async def read(self, rig: rigs.Rig, model: str) -> None:
        began, rest, said = time.monotonic_ns(), b"", b""
        async for piece in rigs.stream(rig, model):
            now = time.monotonic_ns()
            lines, _, rest = (rest + piece).rpartition(b"\n")
            # An event may end in the middle of a token.
            whole, _, said = (said + b"".join(TEXT.findall(lines))).rpartition(b" ")
            sent = whole.split()
            if sent and not self.transits_ms:
                self.first_ms = (now - began) / 1e6
            self.transits_ms += [(now - int(each)) / 1e6 for each in sent]


async def streaming(rig: rigs.Rig, model: str, upstream: Tree, *, streams: int) -> Stretch:
    """`streams` streamed answers at once, each of as many tokens at such a rate as `model` says."""
    count = int(model.split("-")[1])
    measured = meter(rig, upstream)
    readers = [Reader() for _ in range(streams)]

    async def one(n: int, reader: Reader) -> None:
        await asyncio.sleep(n * 0.013)  # spread, so that first tokens are not all asked for at once
        await reader.read(rig, model)

    began = time.monotonic()
    await asyncio.gather(*(one(n, reader) for n, reader in enumerate(readers)))
    seconds, spent = time.monotonic() - began, measured.read()
    transits = [each for reader in readers for each in reader.transits_ms]
    figures = {
        "first_token_p50_ms": load.percentile([each.first_ms for each in readers], 0.5),
        "first_token_p99_ms": load.percentile([each.first_ms for each in readers], 0.99),
        "transit_p50_ms": load.percentile(transits, 0.5),
        "transit_p99_ms": load.percentile(transits, 0.99),
        "cpu_us_per_token": spent.total * 1e6 / max(1, len(transits)),
        "tokens_per_second": len(transits) / seconds,
        "tokens_per_cpu_second": len(transits) / max(0.001, spent.total),
    }
    return Stretch(figures, count * streams - len(transits), spent)
