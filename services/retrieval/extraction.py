"""The first step of a document's job: from where it comes from to its text, and from the text to chunk rows."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import mkdtemp

from msgspec import Struct, structs

from libs.postgres.database import Database
from services.retrieval import chunking
from services.retrieval.chunking import Bounds
from services.retrieval.readers import Unreadable
from services.retrieval.readers.calls import Listed, Text
from services.retrieval.readers.reading import Reader
from services.retrieval.sitemaps import Sitemaps
from services.retrieval.sources import Source, Sources
from services.retrieval.store import chunks, contexts, documents, jobs, progress
from services.retrieval.store.chunks import Chunk
from services.retrieval.store.jobs import Job

# A text up to here is cut in a thread, in less time than a process takes to begin.
_SMALL = 50_000


class Extracted(Struct, frozen=True):
    """A text and where its chunks are, and `size` in bytes of what it was made from. `news` is a text to be kept."""

    cut: Text
    size: int
    news: str | None = None


class Extraction:
    def __init__(self, database: Database, sources: Sources, reader: Reader, bounds: Bounds) -> None:
        self._database, self._sources, self._reader, self._bounds = database, sources, reader, bounds
        self._sitemaps = Sitemaps(database, sources, reader)

    async def run(self, job: Job, holder: str) -> Job:
        """The job of the next step. Raises Unreadable, Lost, and Fault for what may go better later."""
        if not job.url and not job.blob:
            return await self._keep(job, holder, await self._text(job))
        async with scratch() as folder:
            path = folder / "file"
            source = await self._fetch(job, path)
            if job.step == "read":
                read = await self._reader.read(path, name=job.name, media_type=source.media_type)
            else:
                read = await self._reader.read_or_list(path, name=job.name, media_type=source.media_type)
            if isinstance(read, Listed):
                return await self._sitemaps.add(job, holder, read, folder)
        return await self._keep(job, holder, Extracted(read, source.size, news=read.text))

    async def _keep(self, job: Job, holder: str, found: Extracted) -> Job:
        total = len(found.cut.chunks)
        async with self._database.transaction() as connection:
            await progress.has_text(connection, job.document_id, text=found.news, size=found.size, chunks=total)
            await jobs.keep(connection, job.document_id, holder, "index")
            await chunks.replace(connection, job.document_id, _rows(job, found.cut))
            await contexts.count(connection, job.context_id, chunks=total - job.chunks_total)
        return structs.replace(job, step="index", chunks_done=0, chunks_total=total)

    async def _text(self, job: Job) -> Extracted:
        text = await documents.text(self._database, job.document_id) or ""
        if len(text) <= _SMALL:
            cut = await asyncio.to_thread(_cut, text, self._bounds)
        else:
            cut = await self._large(job, text)
        if not cut.chunks:
            raise Unreadable("The text is empty.")
        return Extracted(cut, job.size)

    async def _large(self, job: Job, text: str) -> Text:
        async with scratch() as folder:
            path = folder / "text"
            await asyncio.to_thread(path.write_text, text, "utf-8", newline="")
            return await self._reader.read(path, name=job.name, plain=True)

    async def _fetch(self, job: Job, path: Path) -> Source:
        if job.blob is not None:
            return await self._sources.fetch_blob(job.blob, path)
        return await self._sources.fetch_url(job.url or "", path)


def _cut(text: str, bounds: Bounds) -> Text:
    tidy = chunking.tidy(text)
    return Text(tidy, chunking.split(tidy, bounds))


@asynccontextmanager
async def scratch() -> AsyncIterator[Path]:
    """A folder for as long as it is needed; a disk may be slow, so not in the event loop."""
    folder = await asyncio.to_thread(mkdtemp, prefix="polyvox-")
    try:
        yield Path(folder)
    finally:
        await asyncio.to_thread(shutil.rmtree, folder)


def _rows(job: Job, text: Text) -> Iterator[Chunk]:
    for position, span in enumerate(text.chunks):
        id = chunks.id_of(job.document_id, job.version, position)
        yield Chunk(id, position, span.start, text.text[span.start : span.end])
