"""Answers that answer again: a run that asks for `cache` takes a like run's answer, if there is one.

Like runs have the same workspace, version of the action, messages (what the session remembers included), model,
parameters and tools, and the same revision of every context, searched under the same conditions.
"""

from hashlib import blake2b
from uuid import UUID

import msgspec

from libs.bus.bus import Bus
from libs.contracts import contexts, feed, runs
from libs.contracts.tools import SearchContext
from libs.postgres.database import Database
from services.runner.runs.acceptance import Accepted
from services.runner.runs.frames import Recorded, restored
from services.runner.store import answers
from services.runner.store import runs as stored
from services.runner.store.runs import Kept

_encoder = msgspec.msgpack.Encoder(order="deterministic")


class Answers:
    def __init__(self, database: Database, bus: Bus) -> None:
        self._database, self._bus = database, bus

    async def key(self, accepted: Accepted) -> bytes:
        """Raises Fault where retrieval does not answer."""
        action, endpoint = accepted.scripted.action, accepted.model.endpoint
        same = (
            action.version_id,
            accepted.messages,
            accepted.model.id,
            endpoint.llm,
            endpoint.url,
            accepted.parameters,
            accepted.conditions,
            accepted.prompt.search,
            await self._revisions(accepted),
            [(tool.tool.id, tool.tool.updated_at) for tool in accepted.toolkit.ours.values()],
            accepted.toolkit.theirs,
            accepted.toolkit.choice,
        )
        return blake2b(_encoder.encode(same), digest_size=32).digest()

    async def _revisions(self, accepted: Accepted) -> list[tuple[str, int]]:
        action = accepted.scripted.action
        context_ids = {*action.context_ids, *_searched(accepted)}
        if not context_ids:
            return []
        asked = contexts.GetRevisions(action.workspace_id, sorted(context_ids))
        revisions = await self._bus.call(contexts.REVISIONS, asked)
        return sorted((str(id), revision) for id, revision in revisions.items())

    async def find(self, accepted: Accepted, key: bytes) -> Kept | None:
        workspace_id = accepted.request.workspace_id
        id = await answers.find(self._database, workspace_id, key)
        kept = (await stored.get(self._database, [id])).get(id) if id else None
        return kept if kept and kept.run.status is runs.Status.SUCCEEDED and kept.frames else None


def _searched(accepted: Accepted) -> list[UUID]:
    """The contexts that its tools may search."""
    kinds = [ready.tool.kind for ready in accepted.toolkit.ours.values()]
    return [id for kind in kinds if isinstance(kind, SearchContext) for id in kind.context_ids]


def said(kept: Kept) -> list[feed.Body]:
    """What a run's frames said between its beginning and its end."""
    assert kept.frames is not None
    frames = restored(Recorded(kept.run.output, kept.run.thinking, kept.frames), kept.run.attempt)
    return [frame.body for frame in frames if not frame.ends and not isinstance(frame.body, feed.Started)]
