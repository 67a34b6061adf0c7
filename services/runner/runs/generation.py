"""One run from its acceptance to its outcome: a cached answer, or passages and what the agent makes of them."""

import asyncio
import logging
from uuid import UUID

from libs.bus.bus import Bus
from libs.contracts import feed, runs
from libs.contracts.faults import OURS, Code, Failure, Fault
from libs.contracts.runs import Status
from services.runner.prices import priced
from services.runner.providers.call import Finished
from services.runner.runs import briefing, grounding, rounds
from services.runner.runs.account import Outcome
from services.runner.runs.agent import Agent
from services.runner.runs.answers import Answers, said
from services.runner.runs.feeds import Feeds
from services.runner.runs.grounding import Grounds
from services.runner.runs.live import Live
from services.runner.storable import storable
from services.runner.store.runs import Kept

log = logging.getLogger(__name__)

_INTERNAL = Failure(Code.INTERNAL, OURS)


class Generation:
    def __init__(self, bus: Bus, agent: Agent, answers: Answers, feeds: Feeds) -> None:
        self._bus, self._agent, self._answers, self._feeds = bus, agent, answers, feeds

    async def outcome(self, live: Live) -> Outcome:
        """Whatever happens to a run is its outcome; only the end of the process itself is none."""
        status, failure = Status.SUCCEEDED, None
        try:
            if live.stopped is None:
                await self._generate(live)
            else:
                status, failure = live.stopped
        except Fault as fault:
            log.info("A run failed", extra={"code": fault.code, "error": fault.message})
            status, failure = Status.FAILED, storable(fault.failure())
        except asyncio.CancelledError:
            if live.stopped is None:
                raise
            _uncancel()
            status, failure = live.stopped
        except Exception:
            log.exception("A run failed")
            status, failure = Status.FAILED, _INTERNAL
        latency = live.elapsed_ms()
        live.ending = True
        live.recording.flush()
        reason = live.finished.reason if live.finished else ""
        usage = priced(await rounds.usage(live.rounds, stopped=live.stopped is not None), live.accepted.model.price)
        return Outcome(status, reason, usage, latency, failure)

    async def _generate(self, live: Live) -> None:
        if live.accepted.request.cache:
            live.cache_key = await self._answers.key(live.accepted)
            if kept := await self._answers.find(live.accepted, live.cache_key):
                await self._repeat(live, kept)
                return
        await self._begin(live)
        context_ids = live.accepted.scripted.action.context_ids
        if live.accepted.briefed:
            await self._brief(live)
            context_ids = context_ids or await grounding.everywhere(self._bus, live.workspace_id)
        if context_ids:
            await self._ground(live, context_ids)
        await self._agent.answer(live)

    async def _begin(self, live: Live) -> None:
        request, endpoint = live.accepted.request, live.accepted.model.endpoint
        cached_from = live.cached_from and live.cached_from.id
        started = feed.Started(request.action_id, request.session_id, endpoint.llm, endpoint.provider, cached_from)
        live.recording.add(started)
        await self._send(live)

    async def _repeat(self, live: Live, kept: Kept) -> None:
        """Another run's answer, in the frames in which it was given."""
        live.cached_from = kept.run
        live.messages, live.sources, live.calls = kept.run.prompt, kept.run.sources, kept.run.calls
        await self._begin(live)
        for body in said(kept):
            live.recording.add(body)
        live.first_token_ms = live.elapsed_ms()
        live.finished = Finished(kept.run.finish_reason, runs.Usage())
        await self._send(live)

    async def _brief(self, live: Live) -> None:
        accepted = live.accepted
        live.messages = await briefing.brief(
            self._bus, live.workspace_id, accepted.prompt.question, live.messages, room=accepted.room
        )

    async def _ground(self, live: Live, context_ids: list[UUID]) -> None:
        found = await grounding.passages(self._bus, Grounds.of(live.accepted, context_ids))
        fitting = await grounding.fitting(found, live.messages, live.accepted.room)
        live.messages = grounding.grounded(live.messages, fitting)
        retrieved = grounding.sources(fitting)
        live.sources = retrieved.sources
        live.recording.add(retrieved)
        await self._send(live)

    async def _send(self, live: Live) -> None:
        if live.followed:
            await self._feeds.send(live)


def _uncancel() -> None:
    """The cancelling was a stop, which is over: what the run still has to do goes on."""
    task = asyncio.current_task()
    assert task is not None
    task.uncancel()
