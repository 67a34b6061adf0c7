"""Jobs outlive their process: what one leaves behind, another goes on with, and nothing is there twice."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from libs.contracts import contexts, files, ids
from libs.contracts.documents import Status
from libs.contracts.faults import Code, Fault
from services.retrieval.store import chunks
from services.retrieval.vectors import Space, Where
from services.retrieval.vectors.embedded import EmbeddedVectors
from tests.services.retrieval.conftest import Library, until
from tests.support.embeddings import embedding_model
from tests.support.services import MASTER_KEYS, blobs_folder, running

pytestmark = pytest.mark.asyncio

LONG = "\n\n".join(f"Paragraph number {n} tells of the weather of that day, and of the boats." for n in range(8_000))


@pytest.fixture
def environment(nats_url: str, databases: Any, tmp_path: Path) -> dict[str, str]:
    return {
        **os.environ,
        "NATS_URL": nats_url,
        "POSTGRES_DSN": databases.dsn("retrieval"),
        "BLOBS_URL": f"file://{blobs_folder(databases.url)}",
        "MASTER_KEYS": MASTER_KEYS,
        "VECTORS_URL": f"embedded://{tmp_path}",
        "LOG_LEVEL": "ERROR",
    }


@asynccontextmanager
async def process(environment: dict[str, str]) -> AsyncIterator[asyncio.subprocess.Process]:
    """Retrieval in a process of its own, which a test may kill."""
    command = (sys.executable, "-m", "services.retrieval")
    service = await asyncio.create_subprocess_exec(*command, env=environment)
    try:
        yield service
    finally:
        if service.returncode is None:
            service.kill()
        await service.wait()


@pytest.fixture
def make(bus, blobs) -> Callable:
    async def make() -> Library:
        await ready(bus)
        return Library(bus, blobs, await bus.call(contexts.CREATE, contexts.CreateContext(ids.new(), "Library")))

    return make


async def ready(bus) -> None:
    """Once the last of its subjects is served."""

    async def answer() -> Code:
        with pytest.raises(Fault) as raised:
            await bus.call(files.FINISH, files.FinishUpload(ids.new(), ids.new(), 1))
        return raised.value.code

    await until(answer, lambda code: code is Code.NOT_FOUND, seconds=90)


async def test_a_killed_ingest_goes_on_and_leaves_no_chunk_twice(environment, make, rows, tmp_path: Path) -> None:
    async with process(environment) as first:
        library = await make()
        document = await library.add(LONG)
        seen = await until(lambda: library.get(document), lambda found: 0 < found.chunks_done < found.chunks_total)
        first.send_signal(signal.SIGKILL)
        await first.wait()
    async with process(environment):
        await ready(library.bus)
        indexed = await library.settled(document, seconds=90)
        assert (indexed.status, indexed.chunks_done) == (Status.INDEXED, seen.chunks_total)
        found = await rows.fetch("SELECT id, position FROM chunks WHERE document_id = $1", document.id)
        assert {row["id"] for row in found} == {chunks.id_of(document.id, 1, n) for n in range(seen.chunks_total)}
        assert (await library.look()).chunks == seen.chunks_total
        assert await library.search("Paragraph number 7999")
    assert await in_space(tmp_path, library) == seen.chunks_total


async def in_space(folder: Path, library: Library) -> int:
    """How many vectors there are, once nobody else has the folder."""
    vectors = EmbeddedVectors(folder)
    counted = await vectors.count(Space("wordllama-l2-256", 256), Where(*library.place[:1], [library.context.id]))
    await vectors.close()
    return counted


async def test_a_stopped_service_gives_its_jobs_back(environment, make) -> None:
    async with process(environment) as first:
        library = await make()
        document = await library.add(LONG)
        await until(lambda: library.get(document), lambda found: found.chunks_done)
        first.terminate()
        assert await first.wait() == 0
    async with process(environment):
        await ready(library.bus)
        assert (await library.settled(document, seconds=90)).status is Status.INDEXED


async def test_lost_vectors_are_made_anew_at_the_start(nats_url, databases, make, tmp_path: Path) -> None:
    async with running("retrieval", nats_url, databases, vectors_url=f"embedded://{tmp_path}/one"):
        library = await make()
        document = await library.indexed(await library.add("The boat Maria fishes for herring."))
    async with running("retrieval", nats_url, databases, vectors_url=f"embedded://{tmp_path}/two"):
        await until(lambda: library.search("herring"), bool)
        await library.indexed(document)


async def test_another_embedding_model_has_vectors_of_its_own(nats_url, databases, make, tmp_path: Path) -> None:
    place = {"vectors_url": f"embedded://{tmp_path}"}
    async with embedding_model() as model:
        remote = {"embeddings_url": model.url, "embeddings_model": "fake", "embeddings_key": "sk-test"}
        async with running("retrieval", nats_url, databases, **place):
            library = await make()
            document = await library.indexed(await library.add("The boat Maria fishes for herring."))
        async with running("retrieval", nats_url, databases, **place, **remote):
            [passage] = await until(lambda: library.search("boat Maria fishes for herring."), bool)
            assert passage.score == pytest.approx(5 / (6 * 5) ** 0.5, abs=0.01)
            await library.indexed(document)
        assert set(model.keys) == {"Bearer sk-test"}


async def test_a_model_that_fails_for_a_while_holds_a_document_up(
    nats_url, databases, make, rows, tmp_path: Path
) -> None:
    # What earlier tests left would be indexed anew with this model, and take its failures.
    await rows.execute("DELETE FROM contexts")
    async with embedding_model() as model:
        remote = {"embeddings_url": model.url, "embeddings_model": "fake"}
        async with running("retrieval", nats_url, databases, vectors_url=f"embedded://{tmp_path}", **remote):
            library = await make()
            model.failures = [web.json_response({"error": {"message": "No such model."}}, status=404)]
            document = await library.indexed(await library.add("The boat Maria fishes for herring."))
            assert document.error is None
            model.failures = [web.json_response({"error": {"message": "No such model."}}, status=404)]
            with pytest.raises(Fault, match=r"answered 404: No such model\."):
                await library.search("herring")


async def test_a_workspace_with_many_documents_holds_up_no_other(nats_url, databases, make, tmp_path: Path) -> None:
    place = {"vectors_url": f"embedded://{tmp_path}", "ingest_slots": 1}
    async with running("retrieval", nats_url, databases, **place):
        busy, other = await make(), await make()
        last = [await busy.add(f"Boat number {n}. " * 200) for n in range(60)][-1]
        await other.indexed(await other.add("The boat Maria fishes for herring."))
        assert (await busy.get(last)).status is Status.PENDING
        await busy.indexed(last)
