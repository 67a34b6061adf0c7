"""Blobs: files by key, in a folder or an object store (S3, GCS, Azure) through obstore.

A key is minted by the engine, never taken from a user: `bus/<id>`, `uploads/<id>`. A put is atomic: a reader finds all
of it or nothing, and what is over its cap or breaks off leaves nothing behind.
"""

import asyncio
import logging
import os
import re
from collections.abc import AsyncIterable, AsyncIterator, Generator, Iterable, Sequence
from contextlib import AbstractAsyncContextManager, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import obstore
from obstore.exceptions import BaseError
from obstore.store import LocalStore, ObjectStore, from_url

from libs.contracts.faults import Code, Fault

if TYPE_CHECKING:
    from obstore import ObjectMeta
    from obstore.store import ClientConfig, RetryConfig

log = logging.getLogger(__name__)

_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)*")
_REMOTE = ("s3", "gs", "az")
_PART = 5 << 20
_CHUNK = 256 << 10

_CLIENT: "ClientConfig" = {"connect_timeout": timedelta(seconds=5), "timeout": timedelta(minutes=5)}
_RETRIES: "RetryConfig" = {"max_retries": 3, "retry_timeout": timedelta(seconds=20)}


class Blobs:
    """Faults: NOT_FOUND for a key that isn't there, TOO_LARGE over a cap, UNAVAILABLE when the store is away."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    @classmethod
    def open(cls, url: str) -> "Blobs":
        """`file:///folder` (made if missing) or `s3://bucket/prefix`, whose credentials come from the environment."""
        check_url(url)
        if url.startswith("file:"):
            return cls(LocalStore.from_url(url, mkdir=True))
        # Options given here hide the one of the environment that a MinIO without TLS needs.
        plain = os.environ.get("AWS_ALLOW_HTTP", "").lower() in ("true", "1")
        return cls(from_url(url, client_options={**_CLIENT, "allow_http": plain}, retry_config=_RETRIES))

    async def put(self, key: str, data: bytes | AsyncIterator[bytes], *, max_bytes: int | None = None) -> int:
        """The number of bytes stored. Raises Fault TOO_LARGE as soon as there are more than `max_bytes`."""
        cap = _Cap(max_bytes)
        if isinstance(data, bytes):
            cap.count(data)
            with _faults(key):
                await obstore.put_async(self._store, _safe(key), data, use_multipart=False)
        else:
            await self._put_parts(_safe(key), data, cap)
        return cap.size

    async def _put_parts(self, key: str, data: AsyncIterator[bytes], cap: "_Cap") -> None:
        writer = obstore.open_writer_async(self._store, key, buffer_size=_PART, max_concurrency=4)
        try:
            async for chunk in data:
                cap.count(chunk)
                with _faults(key):
                    await writer.write(chunk)
        except BaseException as broken:
            # Be it the source's own error or a cancel: what was written so far is dropped.
            await _left(writer, broken)
            raise
        with _faults(key):
            await writer.close()

    async def get(self, key: str) -> bytes:
        with _faults(key):
            found = await obstore.get_async(self._store, _safe(key))
            return bytes(await found.bytes_async())

    async def stream(self, key: str) -> AsyncIterator[bytes]:
        with _faults(key):
            found = await obstore.get_async(self._store, _safe(key))
            async for chunk in found.stream(min_chunk_size=_CHUNK):
                yield bytes(chunk)

    async def download(self, key: str, path: Path) -> None:
        """Write the blob to a file of this machine."""
        with await asyncio.to_thread(path.open, "wb") as file:
            async for chunk in self.stream(key):
                await asyncio.to_thread(file.write, chunk)

    async def delete(self, keys: str | Iterable[str]) -> None:
        """Delete one blob or many; what is already gone is no error."""
        paths = [_safe(key) for key in ([keys] if isinstance(keys, str) else keys)]
        with _faults("(several)"):
            try:
                await obstore.delete_async(self._store, paths)
            except FileNotFoundError:
                # A folder stops at the first missing file, and does not say which are gone.
                await asyncio.gather(*(self._delete_one(path) for path in paths))

    async def sweep(self, prefix: str, older_than: timedelta) -> int:
        """Delete everything under `prefix/` that was last written so long ago; the number of blobs deleted."""
        before = datetime.now(UTC) - older_than
        swept = 0
        with _faults(prefix):
            async for batch in self._listed(prefix):
                old = [blob["path"] for blob in batch if blob["last_modified"] < before]
                await self.delete(old)
                swept += len(old)
        return swept

    def _listed(self, prefix: str) -> AsyncIterable[Sequence["ObjectMeta"]]:
        # obstore's stubs leave the Arrow half of its answer unknown.
        return obstore.list(self._store, prefix=_safe(prefix), chunk_size=500)  # pyright: ignore[reportUnknownMemberType]

    async def _delete_one(self, path: str) -> None:
        try:
            await obstore.delete_async(self._store, path)
        except FileNotFoundError:
            return


class _Cap:
    """Counts what passes and refuses what is over."""

    def __init__(self, max_bytes: int | None) -> None:
        self.size = 0
        self._max = max_bytes

    def count(self, data: bytes) -> None:
        self.size += len(data)
        if self._max is not None and self.size > self._max:
            raise Fault(Code.TOO_LARGE, f"This is larger than the {self._max:,} bytes allowed.")


async def _left(writer: AbstractAsyncContextManager[object], error: BaseException) -> None:
    await writer.__aexit__(type(error), error, error.__traceback__)


def check_url(url: str) -> None:
    """Raises ValueError, saying what a blobs URL looks like."""
    parts = urlsplit(url)
    local = parts.scheme == "file" and not parts.netloc and parts.path.startswith("/")
    if not local and not (parts.scheme in _REMOTE and parts.netloc):
        raise ValueError(f"{url!r} is no place for files: expected file:///folder or s3://bucket/prefix")


def _safe(key: str) -> str:
    if not _KEY.fullmatch(key) or len(key) > 512:
        raise ValueError(f"{key!r} is no blob key")
    return key


@contextmanager
def _faults(key: str) -> Generator[None]:
    try:
        yield
    except FileNotFoundError:
        raise Fault(Code.NOT_FOUND, f"There is no file {key}.") from None
    except (BaseError, OSError) as error:
        log.error("The file store failed", extra={"key": key, "error": str(error)[:2000]})
        raise Fault(Code.UNAVAILABLE, "The file store can't be reached; try again.", retry_after=2) from error
