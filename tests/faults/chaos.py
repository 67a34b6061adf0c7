"""Chaos: which process is killed, paused or restarted, and which network fails, at which moment, by the seed.

The rule: whatever was done is undone before `wreak` returns; all processes run again then, ready or on their way.
"""

import asyncio
import random
import signal
from enum import StrEnum

from msgspec import Struct

from tests.faults.cluster import NETWORKS, SERVERS, SERVICES, Cluster
from tests.support.proxy import Proxy


class How(StrEnum):
    """`KILL` is SIGKILL (PostgreSQL's immediate shutdown), `PAUSE` SIGSTOP and SIGCONT, `RESTART` SIGTERM.

    The others are done to a network: everything is late, goes byte by byte, or waits; connections are cut or reset, and
    none can be made for a while.
    """

    KILL = "kill"
    PAUSE = "pause"
    RESTART = "restart"
    DELAY = "delay"
    BYTES = "bytes"
    SILENCE = "silence"
    CUT = "cut"
    RESET = "reset"


_TO_PROCESSES = (How.KILL, How.PAUSE, How.RESTART)
_TO_NETWORKS = (How.DELAY, How.BYTES, How.SILENCE, How.CUT, How.RESET)
_DELAYS = (0.005, 0.03, 0.1)
# Seconds after the load's last beginning in which blows may still go on.
_AFTERWARDS = 3.0


class Blow(Struct, frozen=True):
    """`at` seconds after the load began, for `lasts` seconds. `whose`: whose network fails, if not all's."""

    at: float
    target: str
    how: How
    lasts: float
    whose: str = ""
    delay: float = 0.0

    def __str__(self) -> str:
        of = f" of {self.whose}" if self.whose else ""
        return f"{self.how} {self.target}{of} at {self.at:.1f} for {self.lasts:.1f}"


def plan(chosen: random.Random, targets: list[str], *, count: int, seconds: float) -> list[Blow]:
    """`count` blows within `seconds`, in the order of their moments."""
    return sorted((_blow(chosen, targets, seconds) for _ in range(count)), key=lambda blow: blow.at)


def _blow(chosen: random.Random, targets: list[str], seconds: float) -> Blow:
    target, at = chosen.choice(targets), round(chosen.uniform(0.2, seconds), 2)
    # What takes longer than a lease begins early: a trial is not to wait for its last blow.
    most = seconds + _AFTERWARDS - at
    if target in NETWORKS:
        return _to_network(chosen, target, at, most)
    how = chosen.choices(_TO_PROCESSES, weights=(5, 3, 2))[0]
    # The children of a paused PostgreSQL go on: only its greeting of new connections pauses.
    longest = {How.PAUSE: 3.0 if target in SERVERS else 7.0}.get(how, 1.5)
    return Blow(at, target, how, _lasting(chosen, longest, most))


def _to_network(chosen: random.Random, target: str, at: float, most: float) -> Blow:
    """Of all services, or of one, which is then alone with it for longer."""
    how, of_one = chosen.choice(_TO_NETWORKS), target != "net:model" and chosen.random() < 0.6
    whose = chosen.choice(SERVICES) if of_one else ""
    longest = {How.SILENCE: 7.0 if of_one else 3.0, How.DELAY: 4.0}.get(how, 1.5)
    return Blow(at, target, how, _lasting(chosen, longest, most), whose, chosen.choice(_DELAYS))


def _lasting(chosen: random.Random, longest: float, most: float) -> float:
    return round(min(chosen.uniform(0.2, longest), most), 2)


async def wreak(cluster: Cluster, blows: list[Blow]) -> None:
    """Blows to different targets may overlap, those to one wait for each other."""
    locks = {blow.target: asyncio.Lock() for blow in blows}

    async def strike(blow: Blow) -> None:
        await asyncio.sleep(blow.at)
        async with locks[blow.target]:
            await (_disturb(cluster, blow) if blow.target in NETWORKS else _strike(cluster, blow))

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


async def _disturb(cluster: Cluster, blow: Blow) -> None:
    links = [link for name, link in cluster.links[blow.target].items() if blow.whose in ("", name)]
    for link in links:
        _begin(link, blow)
    await asyncio.sleep(blow.lasts)
    for link in links:
        link.mend()


def _begin(link: Proxy, blow: Blow) -> None:
    match blow.how:
        case How.DELAY:
            link.delay = blow.delay
        case How.BYTES:
            link.bytewise = True
        case How.SILENCE:
            link.silence()
        case How.CUT:
            link.close()
            link.cut()
        case _:
            link.close()
            link.reset()


async def roll(cluster: Cluster) -> None:
    """Every service stopped in order, started and ready again, one after the other."""
    for name, service in cluster.services.items():
        await service.stop()
        await service.start()
        await cluster.ready(name)


async def wipe(cluster: Cluster, at: float) -> None:
    """All that runs is killed, and what NATS has stored is deleted before it is started again."""
    await asyncio.sleep(at)
    for service in cluster.services.values():
        await service.kill()
    await cluster.nats.kill()
    cluster.nats.wipe()
    await cluster.nats.start()
    for service in cluster.services.values():
        await service.start()
