"""Hearing: the engine's own events as what sets automations off, many events as one.

The rule: a run begins in the transaction that notes the event as heard, so it is one for each automation. An automation
that has led to an event is not set off by it, nor is anything once a chain is long, or once automations have set off
too many runs within a minute: the workspace is told so.
"""

from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import TypeVar
from uuid import UUID

from msgspec import Struct

from libs.bus.hear import Heard
from libs.contracts import errands, ids
from libs.contracts.automations import OnEvent
from libs.contracts.errands import NoticeAsked
from libs.postgres import outbox
from libs.postgres.database import Connection, Database
from services.runner.automations.beginning import Cause, SetOff, begin
from services.runner.automations.happenings import Happening, Tell
from services.runner.store import automation_runs as runs
from services.runner.store import automations as stored
from services.runner.store.automations import Stored

F = TypeVar("F")

_LONGEST_CHAIN = 5
_MOST_A_MINUTE = 1000


class _Match(Struct, frozen=True):
    """An automation that waits for what has happened."""

    event_id: UUID
    happening: Happening
    of: Stored


def setting_off(tell: Tell[F]) -> Callable[[Connection, list[Heard[F]]], Awaitable[None]]:
    """What is done on hearing facts of which `tell` makes happenings: as many statements for all as for one."""

    async def apply(connection: Connection, heard: list[Heard[F]]) -> None:
        happened = _happened(tell, heard)
        found = await stored.hearing(connection, *_reach(happened))
        matches = [
            _Match(event_id, happening, automation)
            for event_id, happening in happened
            for automation in found.get(happening.workspace_id, [])
            if _waits_for(automation, happening)
        ]
        crowd = await _crowd(connection, matches)
        reasons = [_loops(match) or crowd.stops(match) for match in matches]
        judged = list(zip(matches, reasons, strict=True))
        await begin(connection, [_set_off(match) for match, reason in judged if reason is None])
        await _tell_of_stopped(connection, [(match, reason) for match, reason in judged if reason is not None])

    return apply


def concerning(tell: Tell[F]) -> Callable[[Database, list[Heard[F]]], Awaitable[bool]]:
    """Whether such facts may set anything off."""

    async def concerns(database: Database, heard: list[Heard[F]]) -> bool:
        happened = _happened(tell, heard)
        return bool(happened) and await stored.any_hears(database, *_reach(happened))

    return concerns


def _happened(tell: Tell[F], heard: list[Heard[F]]) -> list[tuple[UUID, Happening]]:
    return [(event.id, happening) for event in heard for happening in tell(event.fact)]


def _reach(happened: list[tuple[UUID, Happening]]) -> tuple[set[UUID], set[str]]:
    """The workspaces in which it happened, and the patterns that hear of any of it."""
    patterns = {pattern for _, happening in happened for pattern in happening.patterns}
    return {happening.workspace_id for _, happening in happened}, patterns


def _waits_for(of: Stored, happening: Happening) -> bool:
    trigger = of.automation.trigger
    return isinstance(trigger, OnEvent) and trigger.event in happening.patterns


class _Crowd:
    """The runs in each workspace that automations have set off within this minute.

    Several that hear one another's runs set off a multiple with each link of a chain: its length alone is no bound.
    """

    def __init__(self, runs: dict[UUID, int]) -> None:
        self._runs = Counter(runs)

    def stops(self, match: _Match) -> str | None:
        if not match.happening.chain:
            return None
        self._runs[match.happening.workspace_id] += 1
        if self._runs[match.happening.workspace_id] <= _MOST_A_MINUTE:
            return None
        return f"automations had set off {_MOST_A_MINUTE:,} runs within that minute"


async def _crowd(connection: Connection, matches: list[_Match]) -> _Crowd:
    led = {match.happening.workspace_id for match in matches if match.happening.chain}
    minute = datetime.now(UTC).replace(second=0, microsecond=0)
    return _Crowd(await runs.count_led(connection, led, minute) if led else {})


def _loops(match: _Match) -> str | None:
    """Why it is not set off."""
    if match.of.automation.id in match.happening.chain:
        return "it had led to that event itself"
    if len(match.happening.chain) >= _LONGEST_CHAIN:
        return f"{_LONGEST_CHAIN} automations had set each other off before it"
    return None


def _set_off(match: _Match) -> SetOff:
    happening = match.happening
    told = happening.told() | {"event": happening.name, "event_id": str(match.event_id)}
    return SetOff(ids.new(), match.of, Cause(happening.name, told, happening.chain))


async def _tell_of_stopped(connection: Connection, stopped: list[tuple[_Match, str]]) -> None:
    if stopped:
        await outbox.state(connection, errands.NOTICE_ASKED, [_notice(match, reason) for match, reason in stopped])


def _notice(match: _Match, reason: str) -> NoticeAsked:
    of, event = match.of.automation, match.happening.name
    return NoticeAsked(
        workspace_id=of.workspace_id,
        automation_id=of.id,
        run_id=None,
        type=errands.STOPPED,
        title="Automation stopped",
        body=f"{of.name} was not set off by {event}: {reason}.",
        metadata={"automation_id": str(of.id), "event": event},
    )
