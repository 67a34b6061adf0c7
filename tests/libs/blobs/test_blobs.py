"""Blobs in a folder: whole or not at all, under safe keys, gone when swept."""

import asyncio
import os
import time
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from libs.blobs import Blobs, check_url
from libs.contracts.faults import Code, Fault

pytestmark = pytest.mark.asyncio


@pytest.fixture
def blobs(tmp_path: Path) -> Blobs:
    return Blobs.open(f"file://{tmp_path}/blobs")


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


async def pieces(count: int, size: int, *, broken: bool = False) -> AsyncIterator[bytes]:
    for _ in range(count):
        yield b"x" * size
    if broken:
        raise ConnectionError("the client went away")


async def test_what_was_put_comes_back_whole_in_every_way_of_reading(blobs: Blobs, tmp_path: Path) -> None:
    content = os.urandom(700_000)
    assert await blobs.put("uploads/a.pdf", content) == 700_000
    assert await blobs.get("uploads/a.pdf") == content
    assert b"".join([chunk async for chunk in blobs.stream("uploads/a.pdf")]) == content
    await blobs.download("uploads/a.pdf", tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == content


async def test_a_stream_is_put_in_parts(blobs: Blobs) -> None:
    assert await blobs.put("uploads/a", pieces(40, 300_000), max_bytes=12_000_000) == 12_000_000
    assert len(await blobs.get("uploads/a")) == 12_000_000


async def test_an_empty_blob_is_a_blob(blobs: Blobs) -> None:
    assert await blobs.put("a", b"") == 0
    assert await blobs.put("b", pieces(0, 0)) == 0
    assert (await blobs.get("a"), await blobs.get("b")) == (b"", b"")


@pytest.mark.parametrize("size", [10, 300_000])
async def test_what_is_over_its_cap_leaves_nothing_behind(blobs: Blobs, tmp_path: Path, size: int) -> None:
    for oversized in (b"x" * size * 40, pieces(40, size)):
        with pytest.raises(Fault) as fault:
            await blobs.put("a", oversized, max_bytes=size * 40 - 1)
        assert fault.value.code is Code.TOO_LARGE
    assert files(tmp_path) == []


async def test_a_broken_upload_leaves_nothing_behind_and_the_old_blob_as_it_was(blobs: Blobs, tmp_path: Path) -> None:
    await blobs.put("a", b"old")
    with pytest.raises(ConnectionError, match="went away"):
        await blobs.put("a", pieces(40, 300_000, broken=True))
    assert await blobs.get("a") == b"old"
    assert files(tmp_path) == ["a"]


async def test_a_cancelled_upload_leaves_nothing_behind(blobs: Blobs, tmp_path: Path) -> None:
    never = asyncio.Event()

    async def stuck() -> AsyncIterator[bytes]:
        yield b"x" * 6_000_000
        reached.set()
        await never.wait()

    reached = asyncio.Event()
    upload = asyncio.get_running_loop().create_task(blobs.put("a", stuck()))
    await reached.wait()
    upload.cancel()
    await asyncio.wait({upload})
    assert upload.cancelled()
    assert files(tmp_path) == []


async def test_a_missing_blob_is_not_found(blobs: Blobs, tmp_path: Path) -> None:
    for read in (blobs.get("a/b"), anext(aiter(blobs.stream("a/b"))), blobs.download("a/b", tmp_path / "x")):
        with pytest.raises(Fault) as fault:
            await read
        assert fault.value.code is Code.NOT_FOUND


async def test_deleting_many_minds_none_that_are_gone(blobs: Blobs, tmp_path: Path) -> None:
    for number in range(20):
        await blobs.put(f"bus/{number}", b"x")
    await blobs.delete(f"bus/{number}" for number in range(25))
    await blobs.delete("bus/0")
    await blobs.delete([])
    assert files(tmp_path) == []


async def test_a_sweep_takes_what_is_old_under_its_prefix_alone(blobs: Blobs, tmp_path: Path) -> None:
    for key in ("bus/old", "bus/new", "business/old", "uploads/old"):
        await blobs.put(key, b"x")
    long_ago = time.time() - 7200
    for path in tmp_path.rglob("old"):
        os.utime(path, (long_ago, long_ago))
    assert await blobs.sweep("bus", timedelta(hours=1)) == 1
    assert files(tmp_path) == ["new", "old", "old"]


@pytest.mark.parametrize(
    "key", ["", "/a", "a/", "a//b", "../a", "a/../b", ".hidden", "a/.b", "a b", "a\\b", "a\x00", "ä", "a#1", "x" * 513]
)
async def test_a_key_that_is_no_safe_path_is_refused(blobs: Blobs, tmp_path: Path, key: str) -> None:
    with pytest.raises(ValueError, match="no blob key"):
        await blobs.put(key, b"x")
    assert files(tmp_path) == []


async def test_a_store_that_is_away_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "ENDPOINT": "http://127.0.0.1:1",
        "ALLOW_HTTP": "true",
        "ACCESS_KEY_ID": "a",
        "SECRET_ACCESS_KEY": "b",
    }.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    blobs = Blobs.open("s3://bucket/prefix")
    with pytest.raises(Fault) as fault:
        await blobs.get("a")
    assert fault.value.code is Code.UNAVAILABLE


@pytest.mark.parametrize("url", ["", "/folder", "file:folder", "file://host/x", "http://x/", "s3://"])
async def test_a_url_that_is_no_store_says_what_one_looks_like(url: str) -> None:
    with pytest.raises(ValueError, match="file:///folder"):
        check_url(url)
