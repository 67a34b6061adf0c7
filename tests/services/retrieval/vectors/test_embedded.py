"""The embedded engine's child process: it may die, hang on a lock or find its folder broken; the vectors go on."""

import asyncio
import os
import signal
from pathlib import Path
from uuid import uuid4

import psutil
import pytest

from services.retrieval.vectors import Question, Space, Where, payload
from services.retrieval.vectors.embedded import EmbeddedVectors
from tests.services.retrieval.vectors.test_contract import WORKSPACE, point, question_of, vector

pytestmark = pytest.mark.asyncio

SPACE = Space("test", 4)


def engine_of(folder: Path) -> psutil.Process:
    [engine] = [child for child in psutil.Process().children() if str(folder) in child.cmdline()]
    return engine


async def test_what_was_written_outlives_the_process(tmp_path: Path) -> None:
    context = uuid4()
    vectors = EmbeddedVectors(tmp_path)
    await vectors.upsert(SPACE, [point("kept", vector(1, 0, 0, 0), context=context) for _ in range(100)])
    engine_of(tmp_path).send_signal(signal.SIGKILL)
    assert await vectors.count(SPACE, Where(WORKSPACE, [context])) == 100
    await vectors.close()
    again = EmbeddedVectors(tmp_path)
    assert not await again.ensure(SPACE)
    assert await again.count(SPACE, Where(WORKSPACE, [context])) == 100
    await again.close()


async def test_questions_under_way_when_the_engine_dies_are_asked_again(tmp_path: Path) -> None:
    context = uuid4()
    vectors = EmbeddedVectors(tmp_path)
    await vectors.upsert(SPACE, [point("kept", vector(1, 0, 0, 0), context=context)])
    engine = engine_of(tmp_path)
    engine.suspend()
    question = question_of("kept", vector(1, 0, 0, 0))
    asked = [
        asyncio.ensure_future(vectors.search(SPACE, Where(WORKSPACE, [context]), question, limit=1)) for _ in range(20)
    ]
    await asyncio.sleep(0.05)
    engine.kill()
    assert [len(hits) for hits in await asyncio.gather(*asked)] == [1] * 20
    await vectors.close()


async def test_what_is_written_while_a_questions_vector_is_awaited_is_found(tmp_path: Path) -> None:
    vectors, context = EmbeddedVectors(tmp_path), uuid4()
    await vectors.ensure(SPACE)

    async def embed() -> bytes:
        await vectors.upsert(SPACE, [point("a lighthouse", vector(1, 0, 0, 0), context=context)])
        return vector(1, 0, 0, 0)

    [hit] = await vectors.search(SPACE, Where(WORKSPACE, [context]), Question("lighthouse", embed), limit=5)
    assert hit.words > 0
    await vectors.close()


async def test_questions_whose_vectors_never_come_hold_nobody_up(tmp_path: Path) -> None:
    vectors, context = EmbeddedVectors(tmp_path), uuid4()
    where = Where(WORKSPACE, [context])
    await vectors.upsert(SPACE, [point("a lighthouse", vector(1, 0, 0, 0), context=context)])

    async def embed() -> bytes:
        raise TimeoutError

    for _ in range(100):
        with pytest.raises(TimeoutError):
            await vectors.search(SPACE, where, Question("lighthouse", embed), limit=5)
    assert len(await vectors.search(SPACE, where, question_of("lighthouse", vector(1, 0, 0, 0)), limit=5)) == 1
    await vectors.close()


async def test_an_engine_takes_over_a_folder_as_soon_as_it_is_free(tmp_path: Path) -> None:
    first, second = EmbeddedVectors(tmp_path), EmbeddedVectors(tmp_path)
    assert await first.ensure(SPACE)
    waiting = asyncio.ensure_future(second.ensure(SPACE))
    await asyncio.sleep(0.3)
    assert not waiting.done()
    await first.close()
    assert await waiting is False
    await second.close()


async def test_a_space_that_cannot_be_read_is_put_aside_and_made_anew(tmp_path: Path) -> None:
    vectors = EmbeddedVectors(tmp_path)
    await vectors.ensure(SPACE)
    await vectors.close()
    for file in (tmp_path / f"{SPACE.name}.{payload.LAYOUT}" / "segments").rglob("*"):
        if file.is_file():
            file.write_bytes(b"\xff" * 10)
    again = EmbeddedVectors(tmp_path)
    assert await again.ensure(SPACE)
    assert list(tmp_path.glob(f".broken-{SPACE.name}.*"))
    await again.close()


async def test_the_engine_dies_with_the_service(tmp_path: Path) -> None:
    code = f"""
import asyncio, os
from pathlib import Path
from services.retrieval.vectors import Space
from services.retrieval.vectors.embedded import EmbeddedVectors
async def main():
    await EmbeddedVectors(Path({str(tmp_path)!r})).ensure(Space("test", 4))
    print("ready", flush=True)
    await asyncio.sleep(60)
asyncio.run(main())
"""
    import sys

    service = await asyncio.create_subprocess_exec(sys.executable, "-c", code, stdout=asyncio.subprocess.PIPE)
    assert service.stdout is not None
    assert await service.stdout.readline() == b"ready\n"
    [engine] = psutil.Process(service.pid).children()
    os.kill(service.pid, signal.SIGKILL)
    await service.wait()
    psutil.wait_procs([engine], timeout=60)
    assert not engine.is_running()


async def test_points_of_another_layout_are_made_anew(tmp_path: Path) -> None:
    vectors = EmbeddedVectors(tmp_path)
    await vectors.ensure(SPACE)
    await vectors.close()
    (tmp_path / f"{SPACE.name}.{payload.LAYOUT}").rename(tmp_path / f"{SPACE.name}.0")
    again = EmbeddedVectors(tmp_path)
    assert await again.ensure(SPACE)
    await again.close()
