"""Removal: deletes the vectors and blobs of rows that are gone.

Each is done twice, the second time when every job that still wrote vectors for a deleted document must have ended.
"""

import asyncio
import contextlib

from libs.blobs import Blobs
from libs.postgres.database import Database
from services.retrieval.store import documents, removals, uploads
from services.retrieval.store.removals import Removal
from services.retrieval.vectors import Vectors

_POLL_SECONDS = 10.0
_CLAIMED_SECONDS = 120.0
_AGAIN_SECONDS = 300.0
_BATCH = 100


class Removing:
    def __init__(self, database: Database, vectors: Vectors, blobs: Blobs) -> None:
        self._database, self._vectors, self._blobs = database, vectors, blobs
        self._woken = asyncio.Event()

    def wake(self) -> None:
        self._woken.set()

    async def run(self) -> None:
        """For ever: what fails stays queued, and this is started again."""
        while True:
            self._woken.clear()
            claimed = await removals.claim(self._database, seconds=_CLAIMED_SECONDS, limit=_BATCH)
            for removal in claimed:
                await self._remove(removal)
            if not claimed:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._woken.wait(), _POLL_SECONDS)

    async def _remove(self, removal: Removal) -> None:
        if removal.document_ids != []:
            await self._vectors.forget(removal.workspace_id, removal.context_id, removal.document_ids)
        if removal.blobs:
            unused = await documents.unused(self._database, removal.blobs)
            await self._blobs.delete(unused)
            await uploads.forget_blobs(self._database, unused)
        if removal.passes:
            await removals.end(self._database, removal.id)
        else:
            await removals.repeat(self._database, removal.id, seconds=_AGAIN_SECONDS)
