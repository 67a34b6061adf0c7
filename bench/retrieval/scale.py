"""How fast retrieval is with 100,000 chunks on one machine: a process of its own over the embedded engine, asked over
NATS as the gateway asks it. NATS and PostgreSQL are real, fsync included.
"""

import asyncio
import contextlib
import itertools
import os
import random
import signal
import sys
import tempfile
import time
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import UUID

import asyncpg

from bench.load import percentile
from bench.machine import Meter, Tree
from bench.retrieval.questions import Labelled, labelled
from libs.bus.bus import Bus
from libs.contracts import contexts, documents, ids, search
from libs.contracts.faults import Fault
from libs.runtime.service import collect_rarely
from services.retrieval import chunking, wordllama
from services.retrieval.chunking import Bounds
from tests.support import calling, servers
from tests.support.services import MASTER_KEYS, blobs_folder

CHUNKS_EACH, SHELVES = 100, 100
SEARCHES, REINDEX_SECONDS, AT_ONCE = 1000, 20.0, 8
WORKSPACE = ids.new()


async def run(chunks: int) -> None:
    known = labelled()
    random.seed(1)
    with servers.nats_server() as nats, servers.postgres_server(fsync=True) as postgres:
        async with servers.database(postgres) as databases, calling.gateway(nats, databases) as bus:
            with tempfile.TemporaryDirectory(prefix="polyvox-bench-") as folder:
                await Scale(nats, databases, bus, Path(folder), known).run(chunks)


class Scale:
    def __init__(self, nats: str, databases: servers.Databases, bus: Bus, folder: Path, known: Labelled) -> None:
        self._nats, self._databases, self._bus, self._folder, self._known = nats, databases, bus, folder, known
        self._context = UUID(int=0)

    async def run(self, chunks: int) -> None:
        async with self._service() as service:
            created = await self._bus.call(contexts.CREATE, contexts.CreateContext(WORKSPACE, "Scale"))
            self._context = created.id
            await self._ingest(service, chunks)
            collect_rarely()  # as the gateway does, which asks from here on
            await self._searches(service, "asked one after the other")
        began = time.monotonic()
        async with self._service() as service:
            await _until(self._answers, pause=0.01)
            print(f"  {'start until the first answer':44}{time.monotonic() - began:8.1f} s")
            await self._searches(service, "after a new start")
            await self._reindex(service)

    async def _ingest(self, service: Process, chunks: int) -> None:
        library = list(itertools.islice(texts(self._known), chunks // CHUNKS_EACH))
        size = sum(map(len, library)) >> 20
        print(f"{len(library)} documents of about {CHUNKS_EACH} chunks, {size} MiB of text", flush=True)
        meter, began = _meter(service), time.monotonic()
        waiting = iter(enumerate(library))

        async def add() -> None:
            for number, text in waiting:
                shelf = {"shelf": number % SHELVES}
                await self._bus.call(
                    documents.ADD_TEXT, documents.AddText(WORKSPACE, self._context, text, f"Document {number}", shelf)
                )

        await asyncio.gather(*(add() for _ in range(AT_ONCE)))
        await _until(self._is_indexed, pause=0.5)
        seconds = time.monotonic() - began
        total = (await self._bus.call(contexts.GET, contexts.GetContext(WORKSPACE, self._context))).chunks
        print(f"  {'ingest, added until searchable':44}{total / seconds:8.0f} chunks/s ({total} in {seconds:.0f} s)")
        _tell(meter)
        sizes = Tree(service.pid).pss_mb()
        print(f"  {'memory of retrieval and its children':44}{sum(sizes.values()):8.0f} MB PSS  {sizes}")

    async def _searches(self, service: Process, title: str) -> None:
        for name, shelf in ((f"search of all, {title}", None), (f"search of 1 %, {title}", 7)):
            for number in range(50):
                await self._search(self._query(number, shelf))
            meter, times = _meter(service), []
            for number in range(SEARCHES):
                began = time.perf_counter()
                await self._search(self._query(number, shelf))
                times.append((time.perf_counter() - began) * 1e3)
            _tell_times(name, times)
            _tell(meter)

    async def _reindex(self, service: Process) -> None:
        """Its first seconds, with searches meanwhile."""
        held_before = len(self._held())
        await self._bus.call(contexts.REINDEX, contexts.GetContext(WORKSPACE, self._context))
        meter, times, end = _meter(service), [], time.monotonic() + REINDEX_SECONDS
        for number in itertools.count():
            began = time.perf_counter()
            await self._search(self._query(number))
            times.append((time.perf_counter() - began) * 1e3)
            if time.monotonic() > end:
                break
            await asyncio.sleep(0.02)
        held = self._held()[held_before:]
        _tell_times("search of all while it indexes anew", times)
        for name, place in (("longest hold-up of the event loop meanwhile", 0), ("of it computing", 1)):
            longest = [each[place] * 1e3 for each in held]
            print(f"  {name:44}{max(longest, default=0):8.1f} ms, {sum(each > 20 for each in longest)} over 20 ms")
        _tell(meter)

    def _query(self, number: int, shelf: int | None = None) -> search.Query:
        question = self._known.questions[number % len(self._known.questions)].text
        only: dict[str, search.Condition] = {} if shelf is None else {"shelf": search.Equals(shelf)}
        return search.Query(WORKSPACE, [self._context], question, conditions=only)

    async def _search(self, query: search.Query) -> None:
        if not await self._bus.call(search.QUERY, query):
            raise SystemExit(f"nothing was found for {query.text!r}")

    async def _answers(self) -> bool:
        with contextlib.suppress(Fault):
            await self._search(self._query(0))
            return True
        return False

    async def _is_indexed(self) -> bool:
        connection = await asyncpg.connect(self._databases.dsn("retrieval"))
        try:
            return not await connection.fetchval("SELECT count(*) FROM retrieval.jobs")
        finally:
            await connection.close()

    async def _is_probed(self) -> bool:
        return (self._folder / "held").exists()

    def _held(self) -> list[tuple[float, float]]:
        lines = (self._folder / "held").read_text().splitlines()
        return [(float(held), float(computing)) for _, held, computing in map(str.split, lines)]

    @asynccontextmanager
    async def _service(self) -> AsyncIterator[Process]:
        env = {
            "PATH": os.environ["PATH"],
            "NATS_URL": self._nats,
            "POSTGRES_DSN": self._databases.dsn("retrieval"),
            "BLOBS_URL": f"file://{blobs_folder(self._databases.url)}",
            "VECTORS_URL": f"embedded://{self._folder}/vectors",
            "MASTER_KEYS": MASTER_KEYS,
            "PROBE_FILE": f"{self._folder}/held",
            "LOG_LEVEL": "WARNING",
        }
        service = await asyncio.create_subprocess_exec(sys.executable, "-m", "bench.retrieval.probed", env=env)
        try:
            await _until(self._is_probed, pause=0.01)
            yield service
        finally:
            service.send_signal(signal.SIGTERM)
            await service.wait()


def texts(known: Labelled) -> Iterator[str]:
    """Documents of about so many chunks, of paragraphs drawn from the labelled passages."""
    paragraphs = [part for passage in known.passages for part in chunking.tidy(passage.text).split("\n\n")]
    sample = "\n\n".join(random.sample(paragraphs, 500))
    tokens = len(wordllama.tokenizer().encode(sample, add_special_tokens=False))
    length = len(sample) / tokens * (Bounds().chunk - Bounds().overlap) * CHUNKS_EACH
    while True:
        drawn, size = [], 0
        while size < length:
            drawn.append(random.choice(paragraphs))
            size += len(drawn[-1])
        yield "\n\n".join(drawn)


def _meter(service: Process) -> Meter:
    return Meter(Tree(service.pid), Tree(os.getpid()))


async def _until(asked: Callable[[], Awaitable[bool]], *, pause: float) -> None:
    while not await asked():
        await asyncio.sleep(pause)


def _tell_times(name: str, times: list[float]) -> None:
    print(f"  {name:44}p50 {percentile(times, 0.5):6.2f}  p99 {percentile(times, 0.99):6.2f} ms", flush=True)


def _tell(meter: Meter) -> None:
    spent = meter.read()
    busy = ", ".join(f"{name} {seconds / spent.seconds:.0%}" for name, seconds in spent.by_process.items())
    print(f"  {'':44}{busy}; others took {spent.foreign:.0%} of the machine")
