"""Settling: the recorded end of a run that no process holds, stated and told to its followers like any other.

A dead holder's run, a waiting one that is cancelled, a claimed one that can't begin any more.
"""

import logging
from collections.abc import Sequence
from datetime import UTC, datetime

from libs.contracts import feed, runs
from libs.contracts.faults import Failure, Fault
from libs.contracts.feed import Frame
from libs.contracts.runs import RunFinished, Status, Usage
from libs.postgres.database import Connection
from libs.runtime.foundation import Service
from services.runner import metrics, tokens
from services.runner.catalog import Catalog
from services.runner.prices import priced
from services.runner.runs import account
from services.runner.runs.frames import recorded
from services.runner.store import orphans, parts
from services.runner.store.orphans import Orphan, Settled

log = logging.getLogger(__name__)


class Settling:
    def __init__(self, service: Service, catalog: Catalog) -> None:
        self._service, self._catalog = service, catalog

    async def after_death(self, orphan: Orphan, failure: Failure) -> Settled:
        """With what its holder had written of it. Its followers go on from there to the next attempt's one frame."""
        run = orphan.run
        frames = await parts.of(self._service.database, run.id, run.attempt)
        last = Frame(run.attempt + 1, 1, feed.Failed(failure))
        text = recorded(frames, closing=last)
        said = [frame.body.text for frame in frames if isinstance(frame.body, feed.Token | feed.Thinking)]
        usage = await self._usage(orphan, "".join(said)) if said else Usage(cost=0)
        return Settled(orphan, Status.FAILED, text, usage, last, failure)

    async def end(self, orphan: Orphan, failure: Failure | None) -> bool:
        """Ends a run that has said nothing in this attempt, as cancelled where it did not fail; False where it is no
        longer as it was found.
        """
        body = feed.Cancelled(Usage()) if failure is None else feed.Failed(failure)
        status = Status.CANCELLED if failure is None else Status.FAILED
        last = Frame(orphan.run.attempt, 1, body)
        settled = Settled(orphan, status, recorded([last]), Usage(), last, failure)
        async with self._service.database.transaction() as connection:
            ended = await self.write(connection, [settled])
        await self.tell(ended)
        return bool(ended)

    async def write(self, connection: Connection, ends: Sequence[Settled]) -> list[Settled]:
        """Those that could be recorded, with the facts."""
        if not ends:
            return []
        written = await orphans.settle(connection, ends)
        ended = [end for end in ends if end.orphan.run.id in written]
        if ended:
            await self._service.state(connection, runs.FINISHED, [_finished(end) for end in ended])
        return ended

    async def tell(self, ended: Sequence[Settled]) -> None:
        """Followers who hear of a later attempt ask for what they miss."""
        for end in ended:
            metrics.RUNS.labels(end.status, end.orphan.run.mode).inc()
            try:
                await self._service.bus.publish(feed.FEED, end.orphan.run.id, end.last)
            except Fault as fault:
                log.warning("The end of a run could not be published", extra={"error": fault.message})

    async def _usage(self, orphan: Orphan, said: str) -> Usage:
        prompt = [await tokens.count(message.content) + tokens.PER_MESSAGE for message in orphan.run.prompt]
        usage = Usage(sum(prompt), await tokens.count(said), counted=True)
        try:
            model = await self._catalog.model(orphan.run.workspace_id, orphan.model_id)
        except Fault:
            # It was deleted meanwhile, or the database is away: what it cost is not known.
            return usage
        return priced(usage, model.price)


def _finished(end: Settled) -> RunFinished:
    run = end.orphan.run
    return RunFinished(
        workspace_id=run.workspace_id,
        run_id=run.id,
        action_id=run.action_id,
        status=end.status,
        mode=run.mode,
        voice=run.voice,
        model=run.model,
        provider=run.provider,
        usage=end.usage,
        finished_at=datetime.now(UTC),
        session_id=run.session_id,
        app_id=end.orphan.app_id,
        experiment=run.experiment,
        failure=account.told(end.failure),
        variant_id=run.variant_id,
        chain=runs.chain_of(run.metadata),
    )
