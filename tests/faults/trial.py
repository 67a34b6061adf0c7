"""A trial: one seed's load and blows against a cluster, in a workspace of its own, and the verdict on it."""

import asyncio
import random
import shutil
import tempfile
import time
from contextlib import suppress
from enum import StrEnum
from pathlib import Path
from typing import Any
from uuid import UUID

import aiohttp
import asyncpg
import msgspec
from msgspec import Struct

from libs.postgres.database import Database
from services.gateway.directory.bootstrap import Wanted, bootstrap
from tests.faults import chaos, checks, load
from tests.faults.cluster import NETWORKS, SERVERS, SERVICES, Cluster
from tests.faults.ledger import Ledger
from tests.faults.moods import Moods
from tests.support.receiver import Received, Receiver

# How many times longer a roll's load takes, and which share of its answers is slow.
_ROLL, _SLOW = 4, 0.08
TARGETS = (*SERVICES, *SERVERS, *NETWORKS)


class Scenario(StrEnum):
    """`BLOWS`: at random moments. `ROLLING`: every service is stopped in order and started again, one by one. `WIPE`:
    all are killed at once, and NATS comes back empty. `MIXED`: of ten seeds one is rolling, one a wipe.
    """

    MIXED = "mixed"
    BLOWS = "blows"
    ROLLING = "rolling"
    WIPE = "wipe"

    def of(self, seed: int) -> "Scenario":
        if self is not Scenario.MIXED:
            return self
        return {3: Scenario.WIPE, 7: Scenario.ROLLING}.get(seed % 10, Scenario.BLOWS)


class Options(Struct, frozen=True):
    """`patience` is how long one call may take with all its repetitions, `settle` the whole engine afterwards."""

    scenario: Scenario = Scenario.MIXED
    targets: tuple[str, ...] = TARGETS
    operations: int = 30
    blows: int = 4
    seconds: float = 5.0
    patience: float = 60.0
    settle: float = 60.0


class Verdict(Struct, frozen=True):
    """`wrong` is empty where all held; otherwise `kept` has the logs, the blows and the ledger."""

    seed: int
    blows: list[str]
    scenario: Scenario
    operations: int
    broken: int
    refused: int
    resumed: int
    again: int
    took: float
    wrong: list[str]
    kept: str = ""


async def trial(seed: int, cluster: Cluster, receiver: Receiver, options: Options) -> Verdict:
    return await _Trial(seed, cluster, receiver, options).run()


class _Trial:
    def __init__(self, seed: int, cluster: Cluster, receiver: Receiver, options: Options) -> None:
        self._seed, self._cluster, self._receiver, self._options = seed, cluster, receiver, options
        chosen, self._ledger, self._scenario = random.Random(seed), Ledger(), options.scenario.of(seed)
        self._blows = chaos.plan(chosen, list(options.targets), count=options.blows, seconds=options.seconds)
        # A roll takes a few seconds for each service, all of them under load.
        longer, slow = (_ROLL, _SLOW) if self._scenario is Scenario.ROLLING else (1, 0.0)
        self._ledger.entries.extend(load.entries(chosen, seed, options.operations * longer, slow=slow))
        self._moments = [chosen.uniform(0, options.seconds * longer) for _ in self._ledger.entries]

    async def run(self) -> Verdict:
        began, marks = time.monotonic(), {log: log.stat().st_size for log in self._cluster.logs()}
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
            place = await self._furnish(session)
            wrong = await self._blown(load.Client(session, place, self._ledger))
        wrong = wrong or await self._settled(place)
        verdict = self._verdict(time.monotonic() - began, wrong)
        return msgspec.structs.replace(verdict, kept=str(_keep(verdict, self._ledger, marks))) if wrong else verdict

    async def _furnish(self, session: aiohttp.ClientSession) -> load.Place:
        """A workspace with an endpoint, an action, a context and one run, all before the first blow."""
        urls, secret, workspace = self._cluster.urls, *await self._workspace()
        client = load.Client(session, load.Place(urls, secret, workspace), Ledger())

        async def create(path: str, body: object, id: str = "guid") -> str:
            return (await client.post(path, body, f"furnish-{path}"))[id]

        self._receiver.by_path[self._hook] = Moods(self._seed).answer
        await create("/api/webhooks", {"url": self._url(self._hook), "events": ["*"]}, "id")
        app = await create("/v1/apps", {"name": "Faults"})
        action = await create("/v1/actions/create", {"name": "Say", "prompt": "Say {{word}}.", "app": app})
        context = await create("/v1/context", {"name": "Faults"})
        automation = await create("/api/automations", {"name": "Say and tell", "steps": self._steps(action)}, "id")
        asked = {"action": action, "input": {"word": f"w{self._seed}x0000"}}
        run = await create("/v1/actions", asked, "data_guid")
        return load.Place(urls, secret, workspace, action, context, automation, run)

    def _steps(self, action: str) -> list[dict[str, Any]]:
        """Of an automation that runs the action, and tells another server what it said."""
        say = {"action_id": action, "inputs": {"word": "{{ trigger.word }}"}}
        tell = {"url": self._url(self._told), "body": "{{ steps.say.answer }}"}
        return [
            {"type": "run_action", "name": "say", "config": say},
            {"type": "http_request", "name": "tell", "config": tell},
        ]

    async def _workspace(self) -> tuple[str, str]:
        """The key and the id of a new one."""
        wanted = Wanted(email=f"{self._seed}@example.com", workspace=f"Seed {self._seed}", mint=True)
        database = await Database.connect(self._cluster.databases.dsn("gateway"), schema="gateway", pool_size=1)
        try:
            made = await bootstrap(database, wanted)
        finally:
            await database.close()
        assert made.secret, f"seed {self._seed} was tried on this cluster before"
        return made.secret, str(made.workspace.id)

    async def _blown(self, client: load.Client) -> list[str]:
        """What went wrong with the processes themselves, while all was done."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(load.work(client, self._ledger, self._moments, patience=self._options.patience))
                group.create_task(self._wreak())
            await self._cluster.ready()
        except* (RuntimeError, TimeoutError) as failures:
            self._ledger.errors += [f"a process failed: {error!r}" for error in _leaves(failures)]
        return [error for error in self._ledger.errors if error.startswith("a process")]

    async def _wreak(self) -> None:
        match self._scenario:
            case Scenario.ROLLING:
                await chaos.roll(self._cluster)
            case Scenario.WIPE:
                await chaos.wipe(self._cluster, self._blows[0].at)
            case _:
                await chaos.wreak(self._cluster, self._blows)

    async def _settled(self, place: load.Place) -> list[str]:
        """What is wrong once nothing is, or when time is up; looked at twice, since a second count comes late."""
        deadline, wrong, good = time.monotonic() + self._options.settle, ["the database could not be read"], 0
        while time.monotonic() < deadline and good < 2:
            with suppress(OSError, asyncpg.PostgresError, TimeoutError):
                truth = await _truth(self._cluster, place)
                wrong = checks.wrong(truth, self._ledger, self._received(self._hook), self._received(self._told))
                wrong += list(checks.unbroken(truth, self._ledger)) if self._scenario is Scenario.ROLLING else []
                good = 0 if wrong else good + 1
            await asyncio.sleep(1.0 if good else 0.3)
        return wrong

    @property
    def _hook(self) -> str:
        return f"/hook/{self._seed}"

    @property
    def _told(self) -> str:
        """Where the automation tells what was said."""
        return f"/told/{self._seed}"

    def _url(self, path: str) -> str:
        return self._receiver.url.removesuffix("/hook") + path

    def _received(self, path: str) -> list[Received]:
        return [each for each in self._receiver.received if each.path == path]

    def _verdict(self, took: float, wrong: list[str]) -> Verdict:
        received, ledger = self._received(self._hook), self._ledger
        return Verdict(
            seed=self._seed,
            blows=self._told_blows(),
            scenario=self._scenario,
            operations=len(ledger.entries),
            broken=ledger.broken,
            refused=sum(ledger.refusals.values()),
            resumed=ledger.resumed,
            again=len(received) - len({each.headers["webhook-id"] for each in received}),
            took=took,
            wrong=wrong,
        )

    def _told_blows(self) -> list[str]:
        match self._scenario:
            case Scenario.ROLLING:
                return ["every service stopped and started, one by one"]
            case Scenario.WIPE:
                return [f"all killed at {self._blows[0].at:.1f}, and NATS's store wiped"]
            case _:
                return [str(blow) for blow in self._blows]


def _leaves(error: BaseException) -> list[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        return [leaf for each in error.exceptions for leaf in _leaves(each)]
    return [error]


async def _truth(cluster: Cluster, place: load.Place) -> checks.Truth:
    connection = await asyncpg.connect(cluster.postgres.url, timeout=10)
    try:
        return await checks.read(connection, UUID(place.workspace))
    finally:
        await connection.close()


def _keep(verdict: Verdict, ledger: Ledger, marks: dict[Path, int]) -> Path:
    """A folder that stays, with what each process said during this trial."""
    folder = Path(tempfile.mkdtemp(prefix=f"polyvox-faults-seed-{verdict.seed}-"))
    (folder / "verdict.json").write_bytes(msgspec.json.format(msgspec.json.encode(verdict), indent=1))
    (folder / "ledger.json").write_bytes(msgspec.json.format(msgspec.json.encode(ledger.entries), indent=1))
    for log, begin in marks.items():
        with log.open("rb") as said, (folder / log.name).open("wb") as copy:
            said.seek(begin)
            shutil.copyfileobj(said, copy)
    return folder
