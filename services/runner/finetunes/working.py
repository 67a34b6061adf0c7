"""Working on fine-tunes: upload the training file, begin the job, and follow it to its end.

Owner: runner; any number of its processes share the rows. The rule: before a job is begun a second time, the provider
is asked whether it was begun the first time: it costs money.
"""

import logging
import re
from collections.abc import Sequence
from uuid import UUID

from libs.contracts import ids
from libs.contracts.datasets import GetDataset
from libs.contracts.faults import Code, Fault
from libs.contracts.finetunes import FAILED, STARTING, SUCCEEDED
from libs.contracts.models import CreateModel
from libs.egress import Egress
from libs.postgres.database import Database
from libs.postgres.leases import Lease
from services.runner.finetunes import training
from services.runner.finetunes.endpoint import FineTuning, Job, Refused
from services.runner.keys import Keys
from services.runner.models import Models
from services.runner.providers.call import Endpoint
from services.runner.shifts import Shift
from services.runner.store import finetunes as stored
from services.runner.store import providers
from services.runner.store.finetunes import Due, Step

log = logging.getLogger(__name__)

TOPIC = "finetunes"
_SLOTS = 4
_TRIES = 8
_LONGEST_PAUSE = 300.0
ENDED = frozenset({SUCCEEDED, FAILED, "cancelled"})


class Endpoints:
    """The fine-tuning endpoints of workspaces' own providers."""

    def __init__(self, database: Database, egress: Egress, keys: Keys) -> None:
        self._database, self._egress, self._keys = database, egress, keys

    async def of(self, provider_id: UUID, workspace_id: UUID) -> FineTuning:
        """Raises Refused where the provider is no more."""
        found = await providers.sealed(self._database, provider_id)
        if found is None or found.workspace_id != workspace_id:
            raise Refused("The provider that was to train it was deleted.")
        key = self._keys.open(found.id, found.sealed_key)
        return FineTuning(self._egress, Endpoint(found.kind, found.name, found.url, key, ""))


class Working:
    """`seconds` is how often a job is asked about."""

    def __init__(
        self, database: Database, lease: Lease, endpoints: Endpoints, models: Models, *, seconds: float
    ) -> None:
        self._database, self._endpoints, self._models, self._seconds = database, endpoints, models, seconds
        self.shift = Shift(lease, self, slots=_SLOTS, rest=lambda: min(1.0, seconds))
        database.on_commit(TOPIC, self.shift.wake)

    async def claim(self, holder: str, limit: int, busy: Sequence[UUID]) -> list[Due]:
        return await stored.claim(self._database, holder, limit, busy)

    async def do(self, due: Due, holder: str) -> None:
        try:
            endpoint = await self._endpoints.of(due.provider_id, due.workspace_id)
            to = await self._step(due, endpoint)
            if not await stored.go_on(self._database, due.id, holder, to):
                await self._end_unwatched(due, endpoint, to)
        except Refused as refused:
            await self._fail(due, holder, str(refused))

    async def _end_unwatched(self, due: Due, endpoint: FineTuning, to: Step) -> None:
        """A job that was begun while its fine-tune was deleted: nobody else knows of it, and it costs money."""
        if to.job and to.status not in ENDED and not await stored.is_there(self._database, due.id):
            await endpoint.cancel(to.job)

    async def _step(self, due: Due, endpoint: FineTuning) -> Step:
        match due.step:
            case "upload":
                return await self._upload(due, endpoint)
            case "start":
                job = await endpoint.started(due.file) if due.tries > 1 else None
                job = job or await endpoint.start(due.file, due.base_model, _suffix(due.name))
                return await self._told(due, job)
            case _:
                return await self._told(due, await endpoint.job(due.job))

    async def _upload(self, due: Due, endpoint: FineTuning) -> Step:
        try:
            lines = await training.lines(self._database, GetDataset(due.workspace_id, due.dataset_id))
        except Fault as fault:
            if fault.code is Code.UNAVAILABLE:
                raise
            raise Refused(fault.message) from None
        if not lines:
            raise Refused("The dataset has no data point with an answer.")
        return Step(STARTING, "start", file=await endpoint.upload(f"{due.id}.jsonl", lines))

    async def _told(self, due: Due, job: Job) -> Step:
        if job.status not in ENDED:
            return Step(job.status, "follow", seconds=self._seconds, job=job.id)
        error = (job.error.message or "") if job.error else ""
        if job.status == SUCCEEDED and job.fine_tuned_model:
            model_id = await self._model(due, job.fine_tuned_model)
            return Step(SUCCEEDED, None, job=job.id, finetuned=job.fine_tuned_model, model_id=model_id)
        return Step(job.status, None, job=job.id, error=error or "The provider names no model.")

    async def _model(self, due: Due, llm: str) -> UUID:
        """The same one, however often it is made."""
        id = ids.named(due.id, llm)
        made = CreateModel(due.workspace_id, llm, str(due.provider_id), nickname=due.name, id=id)
        return (await self._models.create(made)).id

    async def _fail(self, due: Due, holder: str, reason: str) -> None:
        log.info("A fine-tune failed", extra={"finetune": due.id, "error": reason})
        await stored.go_on(self._database, due.id, holder, Step(FAILED, None, error=reason))

    async def failed(self, due: Due, holder: str, fault: Fault) -> None:
        """A job that was begun is followed for as long as it takes; the steps before are tried a few times."""
        if due.tries >= _TRIES and due.step != "follow":
            await self._fail(due, holder, fault.message)
            return
        pause = min(max(fault.retry_after or 0.0, min(1.0, self._seconds) * 2.0**due.tries), _LONGEST_PAUSE)
        await stored.postpone(self._database, due.id, holder, seconds=pause, error=fault.message)


def _suffix(name: str) -> str:
    """OpenAI takes 64 characters at most, and keeps to these."""
    return re.sub(r"[^a-z0-9-]+", "-", name.lower()).strip("-")[:40]
