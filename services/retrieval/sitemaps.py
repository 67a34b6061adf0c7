"""Sitemaps on their way into a context: each page that one names becomes a document, to be read by a job of its own.

The rule: what a sitemap names is never taken for a sitemap itself, but for those of an index; so no site adds more than
one file of it may name.
"""

from pathlib import Path

from msgspec import structs

from libs.contracts import ids
from libs.egress import EgressRefused
from libs.postgres.database import Database
from services.retrieval.readers import Unreadable
from services.retrieval.readers.calls import Listed
from services.retrieval.readers.reading import Reader
from services.retrieval.readers.sitemap import MOST_PAGES
from services.retrieval.sources import Sources, name_of
from services.retrieval.store import contexts, documents, jobs, progress
from services.retrieval.store.documents import New
from services.retrieval.store.jobs import Job


class Sitemaps:
    def __init__(self, database: Database, sources: Sources, reader: Reader) -> None:
        self._database, self._sources, self._reader = database, sources, reader

    async def add(self, job: Job, holder: str, listed: Listed, folder: Path) -> Job:
        """Adds the pages, once however often it is done. The sitemap's own document holds their addresses, and no
        chunk. Raises Unreadable, Lost, and Fault for what may go better later.
        """
        pages = self._fetchable([*listed.pages, *await self._further(listed.sitemaps, folder)])
        text = "\n".join(pages)
        async with self._database.transaction() as connection:
            # The document before its job, as a deletion has them: neither waits for the other then.
            await progress.has_text(connection, job.document_id, text=text, size=len(text.encode()), chunks=0)
            await jobs.keep(connection, job.document_id, holder, "index")
            if pages:
                added = await documents.insert(connection, [_page(job, *numbered) for numbered in enumerate(pages, 1)])
                await jobs.enqueue(connection, added, "read")
                await contexts.count(connection, job.context_id, documents=len(added), chunks=-job.chunks_total)
        return structs.replace(job, step="index", chunks_done=0, chunks_total=0)

    async def _further(self, sitemaps: list[str], folder: Path) -> list[str]:
        pages: list[str] = []
        for url in sitemaps:
            path = folder / "further"
            source = await self._sources.fetch_url(url, path)
            found = await self._reader.read_or_list(path, name=name_of(url), media_type=source.media_type)
            if not isinstance(found, Listed):
                raise Unreadable("The sitemap names another one that is none.")
            pages += found.pages
            if len(pages) > MOST_PAGES:
                raise Unreadable(f"The sitemaps name more than {MOST_PAGES:,} pages: add them one by one.")
        return pages

    def _fetchable(self, urls: list[str]) -> list[str]:
        """Without repetitions, and without what can never be fetched."""
        return [url for url in dict.fromkeys(urls) if self._may_be_fetched(url)]

    def _may_be_fetched(self, url: str) -> bool:
        try:
            self._sources.check(url)
        except EgressRefused:
            return False
        return True


def _page(job: Job, place: int, url: str) -> New:
    id = ids.derived(job.document_id, place)
    return New(id, job.workspace_id, job.context_id, name=name_of(url), metadata=job.metadata, url=url)
