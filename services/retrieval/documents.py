"""Documents: added to a context as text or files, read and indexed by a job afterwards."""

from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import msgspec
from msgspec import UNSET

from libs.contracts import documents, ids
from libs.contracts.faults import Code, Fault, not_found
from libs.contracts.paging import Page
from libs.egress import EgressRefused
from libs.postgres.database import Connection, Database
from services.retrieval import erasing
from services.retrieval.sources import LONGEST_NAME, Sources, name_of
from services.retrieval.store import contexts, jobs, removals, uploads
from services.retrieval.store import documents as store
from services.retrieval.store.documents import Gone, New
from services.retrieval.store.uploads import Finished

_BLOB = "blob:"
_LONGEST_TITLE = 80
_MOST_METADATA = 64 * 1024
_MOST_FILES = 100


Changing = documents.AddText | documents.AddFiles | documents.UpdateDocument | documents.DeleteDocuments


class Documents:
    """`characters` is the longest text of one document."""

    def __init__(self, database: Database, sources: Sources, *, characters: int) -> None:
        self._database, self._sources, self._characters = database, sources, characters

    async def add_text(self, request: documents.AddText) -> documents.Document:
        self._sound(request.text)
        new = New(
            *(request.id or ids.new(), request.workspace_id, request.context_id),
            name=(request.name.strip() or _title(request.text))[:LONGEST_NAME],
            metadata=_checked(request.metadata),
            text=request.text,
            size=len(request.text.encode(errors="replace")),
        )
        async with self._database.transaction() as connection:
            await _hold(connection, request)
            [document] = await _insert(connection, [new])
        return document

    async def add_files(self, request: documents.AddFiles) -> list[documents.Document]:
        """All of them or none."""
        if not 0 < len(request.urls) <= _MOST_FILES:
            raise Fault(Code.INVALID, f"Name from 1 to {_MOST_FILES} files.", field="urls")
        _checked(request.metadata)
        async with self._database.transaction() as connection:
            await _hold(connection, request)
            known = await uploads.finished(connection, request.workspace_id, _upload_ids(request.urls))
            first = request.id or ids.new()
            news = [self._file(request, place, known, ids.derived(first, place)) for place in range(len(request.urls))]
            return await _insert(connection, news)

    async def get(self, request: documents.GetDocument) -> documents.Document:
        document = await store.get(self._database, request)
        if document is None:
            raise not_found("document", request.document_id)
        return document

    async def find(self, request: documents.FindDocument) -> documents.Document:
        document = await store.find(self._database, request)
        if document is None:
            raise not_found("document", request.document_id)
        return document

    async def page(self, request: documents.PageDocuments) -> Page[documents.Document]:
        context = await contexts.get(self._database, request.workspace_id, request.context_id)
        if context is None:
            raise not_found("context", request.context_id)
        items = await store.page(self._database, request)
        return Page(items, context.documents)

    async def update(self, request: documents.UpdateDocument) -> documents.Document:
        text = None if request.text is UNSET else self._sound(request.text)
        async with self._database.transaction() as connection:
            document, blob = await _locked(connection, request)
            metadata = document.metadata if request.metadata is UNSET else _checked(request.metadata)
            await store.rewrite(connection, document.id, text=text, metadata=metadata)
            await jobs.enqueue(connection, [document.id], _step(document, text))
            if text is not None and blob:
                await removals.enqueue(connection, request.workspace_id, request.context_id, [], [blob])
        return await self.get(documents.GetDocument(request.workspace_id, request.context_id, request.document_id))

    def _sound(self, text: str) -> str:
        if not text.strip():
            raise Fault(Code.INVALID, "The text is empty.", field="text")
        if len(text) > self._characters:
            raise Fault(Code.TOO_LARGE, f"A text may hold {self._characters:,} characters at most.", field="text")
        return text

    async def delete(self, request: documents.GetDocument) -> documents.Document:
        """Not found any more from now on; vectors and blob follow."""
        async with self._database.transaction() as connection:
            gone = await store.delete(connection, request.workspace_id, request.context_id, id=request.document_id)
            if not gone.documents:
                raise not_found("document", request.document_id)
            await _clear(connection, request, gone)
        return gone.documents[0]

    async def delete_all(self, request: documents.DeleteDocuments) -> int:
        async with self._database.transaction() as connection:
            gone = await store.delete(connection, request.workspace_id, request.context_id)
            await _hold(connection, request)
            if gone.documents:
                await _clear(connection, request, gone)
        return len(gone.documents)

    def _file(self, request: documents.AddFiles, place: int, known: dict[UUID, Finished], id: UUID) -> New:
        url, field = request.urls[place], f"urls[{place}]"
        common = (id, request.workspace_id, request.context_id)
        if not url.startswith(_BLOB):
            self._check(url, field)
            name = request.name.strip()[:LONGEST_NAME] if len(request.urls) == 1 else ""
            return New(*common, name=name or name_of(url), metadata=request.metadata, url=url)
        upload = known.get(UUID(url.removeprefix(_BLOB)))
        if upload is None:
            raise Fault(Code.INVALID, "There is no finished upload of this name: send the file first.", field=field)
        return New(*common, name=upload.name, metadata=request.metadata, blob=upload.blob, size=upload.size)

    def _check(self, url: str, field: str) -> None:
        try:
            self._sources.check(url)
        except EgressRefused as refused:
            raise Fault(refused.code, refused.message, field=field) from None


async def _hold(connection: Connection, request: Changing) -> None:
    if not await contexts.hold(connection, request.workspace_id, request.context_id):
        raise not_found("context", request.context_id)


async def _locked(connection: Connection, request: documents.UpdateDocument) -> tuple[documents.Document, str | None]:
    """With the blob that it was made from. Its context is looked for where it is gone: a deletion has documents first,
    and so neither waits for the other.
    """
    if (found := await store.lock(connection, request)) is None:
        await _hold(connection, request)
        raise not_found("document", request.document_id)
    return found


def _step(document: documents.Document, text: str | None) -> jobs.Step:
    """Where its indexing begins again: what has been read already need not be read for its metadata."""
    if text is not None:
        return "read"
    return "index" if document.chunks_total else "list"


async def _insert(connection: Connection, news: list[New]) -> list[documents.Document]:
    """Those whose ids are known already are given back as they are."""
    of = news[0]
    if added := set(await store.insert(connection, news)):
        maps = [new.id for new in news if new.id in added and _may_be_sitemap(new)]
        await jobs.enqueue(connection, maps, "list")
        await jobs.enqueue(connection, [id for id in added if id not in maps], "read")
        await contexts.count(connection, of.context_id, documents=len(added))
    found = await store.those(connection, of.workspace_id, of.context_id, [new.id for new in news])
    if elsewhere := [new.id for new in news if new.id not in found]:
        raise not_found("document", elsewhere[0])
    return [found[new.id] for new in news]


def _may_be_sitemap(new: New) -> bool:
    return new.url is not None and urlsplit(new.url).path.lower().endswith(".xml")


async def _clear(
    connection: Connection, request: documents.GetDocument | documents.DeleteDocuments, gone: Gone
) -> None:
    document_ids = [document.id for document in gone.documents]
    await contexts.count(connection, request.context_id, documents=-len(document_ids), chunks=-gone.chunks)
    await removals.enqueue(connection, request.workspace_id, request.context_id, document_ids, gone.blobs)
    await erasing.tell(connection, request.workspace_id, request.context_id, document_ids)


def _upload_ids(urls: list[str]) -> list[UUID]:
    found: list[UUID] = []
    for place, url in enumerate(urls):
        if url.startswith(_BLOB):
            try:
                found.append(UUID(url.removeprefix(_BLOB)))
            except ValueError:
                raise Fault(Code.INVALID, "This is no upload.", field=f"urls[{place}]") from None
    return found


def _checked(metadata: dict[str, Any]) -> dict[str, Any]:
    if len(msgspec.json.encode(metadata)) > _MOST_METADATA:
        raise Fault(Code.TOO_LARGE, f"Metadata may hold {_MOST_METADATA:,} bytes at most.", field="metadata")
    return metadata


def _title(text: str) -> str:
    """Its first words."""
    words = " ".join(text[: _LONGEST_TITLE * 4].split())
    return (
        words if len(words) <= _LONGEST_TITLE else words[:_LONGEST_TITLE].rpartition(" ")[0] or words[:_LONGEST_TITLE]
    )
