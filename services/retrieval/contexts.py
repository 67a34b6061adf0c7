"""Contexts: made, changed and deleted, with all that is in them."""

from uuid import UUID

from libs.contracts import contexts, ids
from libs.contracts.documents import Status
from libs.contracts.faults import Code, Fault, not_found
from libs.contracts.paging import Page
from libs.postgres.database import Database
from services.retrieval import erasing
from services.retrieval.sources import LONGEST_NAME
from services.retrieval.store import contexts as store
from services.retrieval.store import documents, jobs, progress, removals


class Contexts:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(self, request: contexts.CreateContext) -> contexts.Context:
        _named(request.name)
        id = request.id or ids.new()
        made = await store.insert(self._database, id, request)
        return made or await self.get(contexts.GetContext(request.workspace_id, id))

    async def get(self, request: contexts.GetContext) -> contexts.Context:
        return _found(await store.get(self._database, request.workspace_id, request.context_id), request.context_id)

    async def page(self, request: contexts.PageContexts) -> Page[contexts.Context]:
        items = await store.page(self._database, request.workspace_id, request.slice)
        return Page(items, await store.total(self._database, request.workspace_id))

    async def update(self, request: contexts.UpdateContext) -> contexts.Context:
        if isinstance(request.name, str):
            _named(request.name)
        return _found(await store.update(self._database, request), request.context_id)

    async def delete(self, request: contexts.GetContext) -> contexts.Context:
        """Its rows are gone at once, so nothing in it is found any more; vectors and blobs follow."""
        workspace_id, id = request.workspace_id, request.context_id
        async with self._database.transaction() as connection:
            gone = await documents.delete(connection, workspace_id, id)
            context = _found(await store.delete(connection, workspace_id, id), id)
            await removals.enqueue(connection, workspace_id, id, None, gone.blobs)
            await erasing.tell(connection, workspace_id, id, [document.id for document in gone.documents])
        return context

    async def reindex(self, request: contexts.GetContext) -> contexts.Context:
        """Have all vectors made anew from the chunks, which stay; meanwhile the old ones are searched."""
        async with self._database.transaction() as connection:
            # Documents before their context, as a deletion has them: neither waits for the other then.
            begun = await progress.restart(connection, request.workspace_id, request.context_id)
            if not await store.hold(connection, request.workspace_id, request.context_id):
                raise not_found("context", request.context_id)
            await jobs.enqueue(connection, begun, "index")
        return await self.get(request)

    async def statuses(self, request: contexts.GetContext) -> list[Status]:
        """Those of its documents, each once."""
        await self.get(request)
        return await documents.statuses(self._database, request.context_id)

    async def revisions(self, request: contexts.GetRevisions) -> dict[UUID, int]:
        """Without those that aren't there."""
        return await store.revisions(self._database, request.workspace_id, request.context_ids)


def _named(name: str) -> None:
    if not name.strip() or len(name) > LONGEST_NAME:
        raise Fault(Code.INVALID, f"A context needs a name of up to {LONGEST_NAME} characters.", field="name")


def _found(context: contexts.Context | None, id: UUID) -> contexts.Context:
    if context is None:
        raise not_found("context", id)
    return context
