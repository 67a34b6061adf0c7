"""The end of a run: row, turn and facts in one commit with whatever else ends meanwhile; then its last frame and reply.

The rule: a run has one recorded outcome. One whose row has another holder by now is lost: nothing more is said of it.
"""

import asyncio
import logging
import time
from collections import Counter
from uuid import UUID

import msgspec
from msgspec import Struct

from libs.contracts import feed, runs
from libs.contracts.faults import Code, Fault
from libs.contracts.feed import Frame
from libs.contracts.runs import Run, Status
from libs.postgres.database import Connection
from libs.postgres.group_commit import GroupCommit
from libs.runtime.foundation import Service
from services.runner import metrics
from services.runner.runs import account, memory
from services.runner.runs.account import Outcome
from services.runner.runs.feeds import Feeds
from services.runner.runs.fence import LOST
from services.runner.runs.frames import recorded
from services.runner.runs.live import Live
from services.runner.store import answers, orphans, parts, sessions
from services.runner.store import runs as stored
from services.runner.store.orphans import Claim
from services.runner.store.sessions import Given

log = logging.getLogger(__name__)

# How long an ended run waits for the database to come back.
_PATIENCE = 30.0
_PAUSE = 0.25


class Closing(Struct):
    """A run about to be recorded. `ours`: it was still this holder's."""

    live: Live
    run: Run
    row: stored.Row
    ours: bool = False


class Ending:
    def __init__(self, service: Service, feeds: Feeds) -> None:
        self._service, self._feeds = service, feeds
        self._commits = GroupCommit(service.database, self._write)

    async def end(self, live: Live, outcome: Outcome) -> Run:
        """The run as it was recorded. Raises Fault UNAVAILABLE where it could not be, or goes on elsewhere."""
        if outcome.status is Status.QUEUED:
            raise await self._handed_over(live)
        last = Frame(live.recording.attempt, len(live.recording.frames) + 1, outcome.frame())
        text = recorded([*live.recording.frames, last])
        run = account.run(live, self._service.instance, outcome, text)
        closing = Closing(live, run, account.row(live, run, text))
        try:
            await self._commit(closing)
        except Exception as error:
            log.exception("A run could not be recorded")
            fault = error if isinstance(error, Fault) else Fault(Code.INTERNAL, "The run could not be recorded.")
            await self._say(live, feed.Failed(fault.failure()))
            raise fault from error
        if not closing.ours:
            return await self._lost(live)
        metrics.ended(closing.run, live.accepted.model.endpoint.kind)
        await self._say(live, last.body)
        return msgspec.structs.replace(closing.run, turn=closing.row.turn)

    async def drain(self) -> None:
        await self._commits.drain()

    async def _say(self, live: Live, body: feed.Body) -> None:
        live.recording.add(body)
        if live.followed:
            await self._feeds.send(live)

    async def _commit(self, closing: Closing) -> None:
        until = time.monotonic() + _PATIENCE
        while True:
            try:
                await self._commits.add(closing)
            except Fault as fault:
                if fault.code is not Code.UNAVAILABLE or time.monotonic() > until:
                    raise
            else:
                return
            await asyncio.sleep(_PAUSE)

    async def _handed_over(self, live: Live) -> Fault:
        claim = Claim(live.id, self._service.instance, live.recording.attempt)
        async with self._service.database.transaction() as connection:
            await orphans.put_back(connection, [claim])
        return Fault(Code.UNAVAILABLE, "The run goes on in another process.", retry_after=1)

    async def _lost(self, live: Live) -> Run:
        """The run as its holder recorded it, once that has. Raises Fault UNAVAILABLE for one that begins again."""
        log.warning("A run was another runner's")
        while True:
            kept = (await stored.get(self._service.database, [live.id])).get(live.id)
            if kept is None or kept.run.workspace_id != live.workspace_id:
                raise Fault(Code.CONFLICT, f"There is another run of the id {live.id}.")
            if kept.run.status in runs.ENDED:
                return kept.run
            if kept.run.attempt > live.recording.attempt:
                raise Fault.of(LOST)
            await asyncio.sleep(_PAUSE)

    async def _write(self, connection: Connection, closings: list[Closing]) -> None:
        await _take_turns(connection, closings)
        written = await stored.finish(connection, [closing.row for closing in closings])
        for closing in closings:
            closing.ours = closing.row.id in written
        ours = [closing for closing in closings if closing.ours]
        await _keep_answers(connection, ours)
        if begun := [closing.row.id for closing in ours if closing.live.may_have_parts]:
            await parts.delete(connection, begun)
        if ours:
            facts = [account.finished(closing.live, closing.run) for closing in ours]
            await self._service.state(connection, runs.FINISHED, facts)


async def _take_turns(connection: Connection, closings: list[Closing]) -> None:
    counts = Counter(closing.row.session_id for closing in closings if closing.row.session_id is not None)
    if not counts:
        return
    if opened := [
        _opened(closing.live) for closing in closings if closing.live.accepted.request.new_session is not None
    ]:
        await sessions.open(connection, opened)
    given = await sessions.next_turns(connection, counts)
    turns = {id: last.turn for id, last in given.items()}
    for closing in reversed(closings):
        session_id = closing.row.session_id
        if session_id is not None and session_id in turns:
            closing.row.turn = turns[session_id]
            turns[session_id] -= 1
    await _forget(connection, [closing for closing in closings if _has_gaps(closing, given)])


def _has_gaps(closing: Closing, given: dict[UUID, Given]) -> bool:
    """Whether turns of its session were erased since it began."""
    known, session_id = closing.live.accepted.remembered, closing.row.session_id
    now = given.get(session_id) if session_id is not None else None
    return known is not None and now is not None and now.erased != known.erased


async def _forget(connection: Connection, closings: list[Closing]) -> None:
    """What these remember of turns that were erased is not to be written down again."""
    turns_of = {closing.row.id: known.turns for closing in closings if (known := closing.live.accepted.remembered)}
    if not turns_of:
        return
    there = await sessions.still_turns(connection, [turn.run_id for turns in turns_of.values() for turn in turns])
    for closing in closings:
        gone = [turn for turn in turns_of[closing.row.id] if turn.run_id not in there]
        closing.run = msgspec.structs.replace(closing.run, prompt=memory.without(closing.run.prompt, gone))
        closing.row.prompt = stored.encoded(closing.run.prompt)


def _opened(live: Live) -> sessions.Opened:
    request = live.accepted.request
    assert request.session_id is not None
    return sessions.Opened(
        request.session_id, request.workspace_id, request.action_id, request.new_session or "", request.end_user
    )


async def _keep_answers(connection: Connection, closings: list[Closing]) -> None:
    """Those that may be given again."""
    given: dict[tuple[UUID, bytes], UUID] = {
        (closing.row.workspace_id, closing.live.cache_key): closing.row.id
        for closing in closings
        if closing.live.cache_key is not None and closing.run.status is Status.SUCCEEDED and not closing.run.cached_from
    }
    if given:
        await answers.put(connection, given)
