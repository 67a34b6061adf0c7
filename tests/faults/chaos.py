"""Chaos: which process is killed, paused or restarted at which moment, by the seed.

The rule: whatever was done is undone before `wreak` returns; all processes run again then, ready or on their way.
"""

import asyncio
import random
import signal
from enum import StrEnum

from msgspec import Struct

from tests.faults.cluster import SERVERS, Cluster


class How(StrEnum):
    """`KILL` is SIGKILL (PostgreSQL's immediate shutdown), `PAUSE` SIGSTOP and SIGCONT, `RESTART` SIGTERM."""

    KILL = "kill"
    PAUSE = "pause"
    RESTART = "restart"


class Blow(Struct, frozen=True):
    """`at` seconds after the load began, for `lasts` seconds."""

    at: float
    target: str
    how: How
    lasts: float

    def __str__(self) -> str:
        return f"{self.how} {self.target} at {self.at:.1f} for {self.lasts:.1f}"


def plan(chosen: random.Random, targets: list[str], *, count: int, seconds: float) -> list[Blow]:
    """`count` blows within `seconds`, in the order of their moments."""
    return sorted((_blow(chosen, targets, seconds) for _ in range(count)), key=lambda blow: blow.at)


def _blow(chosen: random.Random, targets: list[str], seconds: float) -> Blow:
    target, at = chosen.choice(targets), round(chosen.uniform(0.2, seconds), 2)
    how = chosen.choices((How.KILL, How.PAUSE, How.RESTART), weights=(5, 3, 2))[0]
    if how is How.PAUSE:
        # The children of a paused PostgreSQL go on: only its greeting of new connections pauses.
        longest = 3.0 if target in SERVERS else 7.0
        return Blow(at, target, how, round(chosen.uniform(0.3, longest), 2))
    return Blow(at, target, how, round(chosen.uniform(0.0, 1.5), 2))


async def wreak(cluster: Cluster, blows: list[Blow]) -> None:
    """Blows to different targets may overlap, those to one wait for each other."""
    locks = {blow.target: asyncio.Lock() for blow in blows}

    async def strike(blow: Blow) -> None:
        await asyncio.sleep(blow.at)
        async with locks[blow.target]:
            await _strike(cluster, blow)

    async with asyncio.TaskGroup() as group:
        for blow in blows:
            group.create_task(strike(blow))


async def _strike(cluster: Cluster, blow: Blow) -> None:
    member = cluster.members[blow.target]
    if blow.how is How.PAUSE:
        member.signal(signal.SIGSTOP)
        await asyncio.sleep(blow.lasts)
        member.signal(signal.SIGCONT)
        return
    await (member.kill() if blow.how is How.KILL else member.stop())
    await asyncio.sleep(blow.lasts)
    await member.start()
