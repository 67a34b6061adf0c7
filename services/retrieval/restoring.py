"""Restoring: documents whose vectors are missing are indexed anew, from their chunks.

That is so after another embedding model was configured, or where the vectors' store is new or was lost.
"""

import logging

from libs.postgres.database import Database
from services.retrieval.embeddings import Embedder
from services.retrieval.store import jobs, progress
from services.retrieval.vectors import Vectors

log = logging.getLogger(__name__)


class Restoring:
    def __init__(self, database: Database, embedder: Embedder, vectors: Vectors) -> None:
        self._database, self._embedder, self._vectors = database, embedder, vectors

    async def once(self) -> None:
        """At the start. It opens the vectors as well, so that the first search need not; without documents, nothing."""
        if not await progress.any_indexed(self._database):
            return
        space = await self._embedder.space()
        lost = await self._vectors.ensure(space)
        async with self._database.transaction() as connection:
            missing = await progress.restart_elsewhere(connection, space=space.name, everything=lost)
            await jobs.enqueue(connection, missing, "index")
        if missing:
            log.warning("Vectors are made anew", extra={"documents": len(missing), "space": space.name})
