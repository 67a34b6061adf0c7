"""Uploads: files on their way from the gateway into a context. What nobody finishes or uses is swept."""

import asyncio

from libs.blobs import Blobs
from libs.contracts import files, ids
from libs.contracts.faults import Code, Fault, not_found
from libs.postgres.database import Database
from services.retrieval.sources import LONGEST_NAME
from services.retrieval.store import documents
from services.retrieval.store import uploads as store

_SWEEP_SECONDS = 3600.0
_UNFINISHED_HOURS = 24
_FINISHED_HOURS = 7 * 24
_BATCH = 500


class Files:
    def __init__(self, database: Database, blobs: Blobs, *, max_bytes: int) -> None:
        self._database, self._blobs, self._max = database, blobs, max_bytes

    async def begin(self, request: files.BeginUpload) -> files.Upload:
        if not request.name.strip() or len(request.name) > LONGEST_NAME:
            raise Fault(Code.INVALID, f"A file needs a name of up to {LONGEST_NAME} characters.", field="name")
        id = request.id or ids.new()
        made = await store.insert(self._database, id, request, blob=f"uploads/{id.hex}", max_bytes=self._max)
        return made or await self.get(files.GetUpload(request.workspace_id, id))

    async def get(self, request: files.GetUpload) -> files.Upload:
        upload = await store.get(self._database, request.workspace_id, request.upload_id, max_bytes=self._max)
        if upload is None:
            raise not_found("upload", request.upload_id)
        return upload

    async def finish(self, request: files.FinishUpload) -> files.Upload:
        if not 0 <= request.size <= self._max:
            raise Fault(Code.TOO_LARGE, f"A file may hold {self._max:,} bytes at most.", field="size")
        upload = await store.finish(self._database, request, max_bytes=self._max)
        if upload is None:
            raise not_found("upload", request.upload_id)
        return upload

    async def sweep(self) -> None:
        """For ever, now and then: uploads unfinished after a day, or unused after a week."""
        while True:
            while await self.sweep_once():
                pass
            await asyncio.sleep(_SWEEP_SECONDS)

    async def sweep_once(self) -> int:
        """How many were swept. Their blobs go first, so that a crash leaves none without a row that knows of it."""
        old = await store.old(
            self._database, unfinished_hours=_UNFINISHED_HOURS, finished_hours=_FINISHED_HOURS, limit=_BATCH
        )
        if old:
            await self._blobs.delete(await documents.unused(self._database, list(old.values())))
            await store.forget(self._database, list(old))
        return len(old)
