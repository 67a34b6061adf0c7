"""Texts: what a file says, for whoever asks and for nobody after that."""

import asyncio

from libs.contracts import files
from libs.contracts.faults import Code, Fault
from services.retrieval.extraction import scratch
from services.retrieval.readers import Unreadable
from services.retrieval.readers.reading import Reader


class Texts:
    """`reader` is one of its own: who waits for an answer does not wait for documents that are taken in."""

    def __init__(self, reader: Reader, *, max_bytes: int) -> None:
        self._reader, self._max = reader, max_bytes

    async def read(self, request: files.ReadFile) -> str:
        """Raises Fault INVALID, saying to a person why it can't be read; TOO_LARGE."""
        if len(request.content) > self._max:
            raise Fault(Code.TOO_LARGE, f"A file may hold {self._max:,} bytes at most.", field="content")
        async with scratch() as folder:
            path = folder / "file"
            await asyncio.to_thread(path.write_bytes, request.content)
            try:
                return (await self._reader.read(path, name=request.name)).text
            except Unreadable as unreadable:
                raise Fault(Code.INVALID, str(unreadable), field="content") from None
