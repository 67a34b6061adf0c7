"""Webhooks: how many are delivered a second, how soon, and in how much memory; beside dead endpoints in `dead.py`.

A dispatcher is a process on the first core, as in production; Postgres, NATS, the receiver and what states the events
have the second. Beside each rate stands the CPU that the dispatcher spent, which depends little on who else is there.
"""

import asyncio
import json
import os
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from uuid import UUID

import msgspec
from msgspec import Struct

from bench import load, measure, rigs
from bench.machine import Meter, Tree
from bench.sink import Sink, sink
from libs.contracts import feedback, ids
from libs.postgres import outbox
from libs.postgres.database import Connection, Database
from libs.postgres.group_commit import GroupCommit
from libs.postgres.migrate import migrate
from libs.runtime.service import Service
from services.webhook_dispatcher.store import upkeep
from tests.support import backlog, endpoints, processes, servers
from tests.support.services import running

DELIVERIES, WAITING = 20_000, 100_000
EVENTS, A_SECOND = 1200, 200
BARE_SECONDS = 4.0

# When an event is stated, counted from the beginning, and its workspace.
Planned = tuple[float, UUID]


class Rig(Struct, frozen=True):
    """A receiver, a bus, and a database in which nothing is queued yet."""

    nats_url: str
    databases: servers.Databases
    database: Database
    sink: Sink

    async def endpoints(self, workspaces: int, each: int, url: str = "") -> list[UUID]:
        """In turn; at the receiver where nothing else is said."""
        urls = [url or self.sink.url + "/hook"] * each
        made = [await endpoints.make(self.database, ids.new(), urls) for _ in range(workspaces)]
        return [id for some in zip(*made, strict=True) for id in some]

    @asynccontextmanager
    async def dispatcher(self, *, core: int | None = rigs.ENGINE_CORE) -> AsyncIterator[Tree]:
        async with processes.process("webhook_dispatcher", self.nats_url, self.databases) as process:
            os.sched_setaffinity(process.pid, {rigs.ENGINE_CORE, rigs.LOAD_CORE} if core is None else {core})
            yield Tree(process.pid)


@asynccontextmanager
async def rig() -> AsyncIterator[Rig]:
    with servers.nats_server() as nats_url, servers.postgres_server() as admin:
        async with servers.database(admin) as databases, sink() as receiver:
            database = await Database.connect(databases.dsn("webhook_dispatcher"), schema="webhook_dispatcher")
            await migrate(database, "services.webhook_dispatcher")
            for step in upkeep.steps(30):
                await database.execute(step)
            try:
                yield Rig(nats_url, databases, database, receiver)
            finally:
                await database.close()


async def bare() -> measure.Stretch:
    """aiohttp's client alone: it signs and posts."""
    async with sink() as receiver:
        arguments = (sys.executable, "-m", "bench.bare_client", receiver.url, str(BARE_SECONDS))
        child = await asyncio.create_subprocess_exec(
            *arguments, stdout=-1, preexec_fn=lambda: os.sched_setaffinity(0, {rigs.ENGINE_CORE})
        )
        await receiver.wait(1, seconds=30)
        measured = meter(Tree(child.pid))
        await asyncio.sleep(BARE_SECONDS / 2)
        spent = measured.read()
        out, _ = await child.communicate()
        return measure.Stretch(json.loads(out), child.returncode or 0, spent)


async def throughput(processes: int) -> measure.Stretch:
    """Signed, logged deliveries: the middle four fifths of a backlog, to a hundred endpoints in ten workspaces."""
    async with rig() as built, AsyncExitStack() as stack:
        await backlog.add(built.database, await built.endpoints(10, 10), DELIVERIES)
        core = rigs.ENGINE_CORE if processes == 1 else None
        trees = [await stack.enter_async_context(built.dispatcher(core=core)) for _ in range(processes)]
        watched = Tree(*(tree.processes[0].pid for tree in trees))
        await built.sink.wait(DELIVERIES // 10, seconds=60)
        measured, before = meter(watched), built.sink.count
        await built.sink.wait(DELIVERIES * 9 // 10, seconds=120)
        spent, made = measured.read(), built.sink.count - before
    figures = {"per_second": made / spent.seconds, "cpu_s_per_1000": spent.total * 1000 / made}
    return measure.Stretch(figures | {"per_core_second": made / spent.total}, 0, spent)


async def latency() -> measure.Stretch:
    """From the beginning of the transaction that states an event to its arrival, at so many events a second."""
    async with delivering() as one:
        measured = meter(one.dispatcher)
        (taken,) = (await arrivals(one, evenly([one.workspace], EVENTS, A_SECOND))).values()
        return measure.Stretch(percentiles(taken), EVENTS - len(taken), measured.read())


async def memory() -> measure.Stretch:
    """What the dispatcher takes at most while a hundred thousand rows are due, and before there were any."""
    async with rig() as built, built.dispatcher() as watched:
        idle, most = _pss(watched), 0.0
        measured = meter(watched)
        await backlog.add(built.database, await built.endpoints(10, 100), WAITING)
        for _ in range(40):
            await asyncio.sleep(0.2)
            most = max(most, _pss(watched))
        left = await built.database.fetchval("SELECT count(*) FROM queue")
        return measure.Stretch({"idle_pss_mb": idle, "most_pss_mb": most, "left": left}, 0, measured.read())


async def run(*, quick: bool) -> dict[str, measure.Figures]:
    os.sched_setaffinity(0, {rigs.LOAD_CORE})
    stretches = {
        "bare client": bare,
        "one dispatcher": lambda: throughput(1),
        "two dispatchers": lambda: throughput(2),
        "200 events/s": latency,
        "100,000 due rows": memory,
    }
    found: dict[str, measure.Figures] = {}
    for name, stretch in stretches.items():
        print(f"  webhooks: {name}", flush=True)
        found[name] = await measure.medians(stretch, 1 if quick else measure.REPEATS)
    os.sched_setaffinity(0, {rigs.ENGINE_CORE, rigs.LOAD_CORE})
    return found


def table(section: str, found: dict[str, measure.Figures]) -> None:
    print(f"\n{section}")
    for name, figures in found.items():
        print(f"  {name}")
        for figure, value in figures.items():
            print(f"    {figure:32}{value:12.2f}")


class Delivering(Struct, frozen=True):
    """A dispatcher with one endpoint, and who states events for it: feedback's service with its relay."""

    rig: Rig
    dispatcher: Tree
    owner: Service
    workspace: UUID


@asynccontextmanager
async def delivering() -> AsyncIterator[Delivering]:
    """Warmed up."""
    async with (
        rig() as built,
        built.dispatcher() as tree,
        running("feedback", built.nats_url, built.databases) as owner,
    ):
        await built.endpoints(1, 1)
        workspace = await built.database.fetchval("SELECT workspace_id FROM endpoints")
        one = Delivering(built, tree, owner, workspace)
        await arrivals(one, evenly([workspace], A_SECOND, A_SECOND))
        yield one


def evenly(workspaces: Sequence[UUID], count: int, a_second: float) -> list[Planned]:
    """So many events, each workspace's in turn."""
    return [(place / a_second, workspaces[place % len(workspaces)]) for place in range(count)]


async def arrivals(one: Delivering, plan: Sequence[Planned], *, count: int = 0) -> dict[UUID, list[float]]:
    """How long each event took, in milliseconds, by workspace; `count` is how many come where it is not one each."""
    stated, sink = dict[str, tuple[float, UUID]](), one.rig.sink
    commits = GroupCommit(one.owner.database, _write)
    sink.kept, before = [], sink.count
    began = time.monotonic()
    async with asyncio.TaskGroup() as tasks:
        for seconds, workspace in sorted(plan):
            await asyncio.sleep(max(0.0, began + seconds - time.monotonic()))
            tasks.create_task(_state(commits, workspace, stated))
    await sink.wait(before + (count or len(plan)), seconds=60)
    taken = dict[UUID, list[float]]()
    for at, body in sink.kept:
        since, workspace = stated[msgspec.json.decode(body)["data"]["run_id"]]
        taken.setdefault(workspace, []).append((at - since) * 1000)
    return taken


async def _state(
    commits: GroupCommit[feedback.FeedbackCreated], workspace: UUID, stated: dict[str, tuple[float, UUID]]
) -> None:
    fact = feedback.FeedbackCreated(workspace, ids.new(), ids.new(), "rating", 2)
    stated[str(fact.run_id)] = time.time(), workspace
    await commits.add(fact)


async def _write(connection: Connection, facts: list[feedback.FeedbackCreated]) -> None:
    await outbox.state(connection, feedback.CREATED, facts)


def percentiles(taken: list[float]) -> measure.Figures:
    return {"p50_ms": load.percentile(taken, 0.5), "p99_ms": load.percentile(taken, 0.99)}


def _pss(tree: Tree) -> float:
    return sum(tree.pss_mb().values())


def meter(watched: Tree) -> Meter:
    ours = Tree(os.getpid())
    ours.processes += [each for each in watched.processes if each not in ours.processes]
    return Meter(watched, ours)
