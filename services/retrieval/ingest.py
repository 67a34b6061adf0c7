"""Ingest: takes up the jobs of documents, several at once, and settles how each one ended.

Owner: retrieval; any number of its processes share one queue. Nothing is lost with a process: its jobs are taken up
where they were, and what is done twice leaves the same.
"""

import asyncio
import contextlib
import logging
from uuid import UUID

from libs.contracts import documents as contract
from libs.contracts.faults import Code, Fault
from libs.postgres.database import Database
from libs.postgres.leases import Lease
from libs.postgres.text import clean
from services.retrieval import metrics
from services.retrieval.extraction import Extraction
from services.retrieval.indexing import Indexing, State
from services.retrieval.readers import Unreadable
from services.retrieval.store import jobs, progress
from services.retrieval.store.jobs import Job, Lost

log = logging.getLogger(__name__)

_POLL_SECONDS = 1.0
_AWAY_SECONDS = 1.0
_TRIES = 8
_LONGEST_PAUSE = 300.0
_LONGEST_REASON = 1000
_FIRST = UUID(int=0)


class Ingest:
    def __init__(
        self, database: Database, lease: Lease, steps: tuple[Extraction, Indexing], state: State, *, slots: int
    ) -> None:
        self._database, self._lease, self._state, self._slots = database, lease, state, slots
        self._extraction, self._indexing = steps
        self._tasks: dict[UUID, asyncio.Task[None]] = {}
        self._turn = _FIRST
        self._woken = asyncio.Event()
        self._closing = False

    def wake(self) -> None:
        self._woken.set()

    async def run(self) -> None:
        """Until `stop`. Woken when there is a new job or a free slot, and once a second for what others left."""
        await self._lease.renew()
        while not self._closing:
            self._woken.clear()
            if not await self._fill():
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._woken.wait(), _POLL_SECONDS)

    async def stop(self) -> None:
        """Give up what is under way, for others or the next start to go on with."""
        self._closing = True
        self.wake()
        for task in self._tasks.values():
            task.cancel()
        while self._tasks:
            await asyncio.wait(self._tasks.values())
        await jobs.release(self._database, self._lease.holder)

    async def _fill(self) -> bool:
        """Give free slots to the workspaces whose turn it is. False where there is no slot or no job."""
        free = self._slots - len(self._tasks)
        if not free or not self._lease.held:
            return False
        busy, holder = list(self._tasks), self._lease.holder
        claimed = await jobs.claim(self._database, holder, after=self._turn, limit=free, busy=busy)
        for job in claimed:
            self._begin(job)
        begun_again = self._turn != _FIRST and len(claimed) < free
        self._turn = claimed[-1].workspace_id if claimed and not begun_again else _FIRST
        return bool(claimed) or begun_again

    def _begin(self, job: Job) -> None:
        task = asyncio.get_running_loop().create_task(self._do(job), name=f"ingest {job.document_id}")
        self._tasks[job.document_id] = task
        task.add_done_callback(lambda _: self._end(job.document_id))

    def _end(self, document_id: UUID) -> None:
        del self._tasks[document_id]
        self.wake()

    async def _do(self, job: Job) -> None:
        try:
            await self._steps(job)
        except Lost:
            log.info("A job is no longer ours", extra={"document": job.document_id})
        except Unreadable as unreadable:
            await self._settle(job, Fault(Code.UNSUPPORTED, str(unreadable)), final=True)
        except Fault as fault:
            await self._settle(job, fault)
        except Exception:
            log.exception("Indexing failed on our side", extra={"document": job.document_id, "tries": job.tries})
            await self._settle(job, Fault(Code.INTERNAL, "Something went wrong on our side during indexing."))

    async def _steps(self, job: Job) -> None:
        if job.tries > _TRIES:
            raise Unreadable("Indexing was interrupted too often: the document may be too heavy for this machine.")
        if job.step == "read" and job.chunks_total:
            # It has another text: the vectors of the one before are found no more.
            await self._indexing.forget(job)
        if job.step in ("list", "read"):
            job = await self._extraction.run(job, self._lease.holder)
        await self._indexing.run(job, self._lease.holder)

    async def _settle(self, job: Job, fault: Fault, *, final: bool = False) -> None:
        """What is away comes back, however long that takes; other faults are tried a few times, unless `final`.

        While the database itself is away the job stays ours: nobody else would take it up.
        """
        while True:
            try:
                tries = await jobs.tries(self._database, job.document_id, self._lease.holder)
                if final or (tries >= _TRIES and fault.code is not Code.UNAVAILABLE):
                    return await self._fail(job, clean(fault.message)[:_LONGEST_REASON])
                return await self._postpone(job, fault, tries)
            except Lost:
                return None
            except Fault as failed:
                if failed.code is not Code.UNAVAILABLE:
                    raise
            await asyncio.sleep(_AWAY_SECONDS)

    async def _fail(self, job: Job, reason: str) -> None:
        failed = contract.DocumentFailed(job.workspace_id, job.context_id, job.document_id, job.told_name, reason)
        async with self._database.transaction() as connection:
            await progress.fail(connection, job.document_id, reason)
            await jobs.end(connection, job.document_id, self._lease.holder)
            await self._state(connection, contract.FAILED, [failed])
        metrics.DOCUMENTS.labels("failed").inc()

    async def _postpone(self, job: Job, fault: Fault, tries: int) -> None:
        log.warning("Indexing is tried again", extra={"document": job.document_id, "error": fault.message})
        away = fault.code is Code.UNAVAILABLE
        pause = (fault.retry_after or 1.0) if away else min(2.0**tries, _LONGEST_PAUSE)
        await jobs.postpone(self._database, job.document_id, self._lease.holder, seconds=pause, counted=not away)
