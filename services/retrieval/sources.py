"""Where a document's file comes from: an upload's blob, or a URL through the egress guard."""

import asyncio
from pathlib import Path
from urllib.parse import unquote, urlsplit

from msgspec import Struct

from libs.blobs import Blobs
from libs.contracts.faults import Code, Fault
from libs.egress import Download, Egress, EgressRefused
from services.retrieval.readers import Unreadable

SCHEMES = ("https", "http")
LONGEST_NAME = 500
_REDIRECTS = 5
_SECONDS = 120.0
_AGAIN = {408, 425, 429}


class Source(Struct, frozen=True):
    """What was fetched: bytes of which media type, as far as somebody said."""

    size: int
    media_type: str = ""


def name_of(url: str) -> str:
    """What a document fetched from there is called: the last part of the path, or the host."""
    parts = urlsplit(url)
    return (unquote(parts.path.rstrip("/").rpartition("/")[2]) or parts.hostname or url)[:LONGEST_NAME]


class Sources:
    def __init__(self, blobs: Blobs, egress: Egress, *, max_bytes: int) -> None:
        self._blobs, self._egress, self._max = blobs, egress, max_bytes

    def check(self, url: str) -> None:
        """Raises EgressRefused for an address that can never be fetched."""
        self._egress.check(url, schemes=SCHEMES)

    async def fetch_blob(self, key: str, path: Path) -> Source:
        """Raises Unreadable where the blob is gone, Fault UNAVAILABLE while it can't be reached."""
        try:
            await self._blobs.download(key, path)
        except Fault as fault:
            if fault.code is Code.NOT_FOUND:
                raise Unreadable("The uploaded file is gone: send it again.") from None
            raise
        return Source((await asyncio.to_thread(path.stat)).st_size)

    async def fetch_url(self, url: str, path: Path) -> Source:
        """Raises Unreadable for what won't work later either, Fault for what may."""
        try:
            async with self._egress.stream(
                url, deadline=_SECONDS, max_bytes=self._max, schemes=SCHEMES, redirects=_REDIRECTS
            ) as download:
                _must_be_there(download)
                return Source(await _written(download, path), download.headers.get("content-type", ""))
        except EgressRefused as refused:
            raise Unreadable(refused.message) from None
        except Fault as fault:
            if fault.code is Code.TOO_LARGE:
                raise Unreadable(f"The file is too large: {self._max:,} bytes are allowed.") from None
            raise


def _must_be_there(download: Download) -> None:
    if download.status in _AGAIN or download.status >= 500:
        raise Fault(Code.UPSTREAM, f"{download.host} answered {download.status}.")
    if download.status != 200:
        raise Unreadable(f"The file can't be fetched: {download.host} answered {download.status}.")


async def _written(download: Download, path: Path) -> int:
    size = 0
    with await asyncio.to_thread(path.open, "wb") as file:
        async for chunk in download.chunks():
            size += await asyncio.to_thread(file.write, chunk)
    return size
