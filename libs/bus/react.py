"""Reacting to events: each once, in one transaction with the note that it was.

A batch is applied together; where that fails, event by event; an event that fails is tried again from a row, and after
five tries is a dead letter. What concerns no reaction costs no transaction. The rule: `apply` is commutative, and does
nothing that its transaction can't take back.
"""

import logging
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, Generic, TypeVar
from uuid import UUID

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from libs.bus import metrics, store
from libs.bus.store import Letter
from libs.contracts.faults import Fault
from libs.contracts.subjects import Event
from libs.postgres.database import Connection, Database

log = logging.getLogger(__name__)

F = TypeVar("F")

BACKOFF = (1.0, 5.0, 30.0, 120.0)

_ORPHANED = timedelta(days=3)


class Heard(Struct, Generic[F], frozen=True):
    """A fact as it is heard: its event's id, when it was stated, and the fact."""

    id: UUID
    at: datetime
    fact: F


class Reaction(Struct, Generic[F], frozen=True):
    """What a service does on an event: `apply` takes in a batch of facts inside one transaction.

    `concerns`: whether it would do anything with a batch, where that is cheaper to find out. What concerns no reaction
    is not even noted: heard again, it is looked at again. Looking in the database first misses nothing: the look sees
    what was committed before a fact was stated.
    """

    event: Event[F]
    apply: Callable[[Connection, list[Heard[F]]], Awaitable[None]]
    concerns: Callable[[Database, list[Heard[F]]], Awaitable[bool]] | None = None

    def heard(self, letters: Sequence[Letter]) -> list[Heard[F]]:
        """Raises msgspec.ValidationError."""
        return [Heard(letter.id, letter.at, self.event.unpack(letter.body)) for letter in letters]


class Reactions:
    """A service's reactions, over its database. `backoff`: the seconds before each further try."""

    def __init__(
        self,
        database: Database,
        reactions: Sequence[Reaction[Any]],
        *,
        service: str,
        backoff: Sequence[float] = BACKOFF,
    ) -> None:
        self._database, self._service = database, service
        self._backoff = [timedelta(seconds=seconds) for seconds in backoff]
        self._by_subject: dict[str, list[Reaction[Any]]] = {}
        for reaction in reactions:
            self._by_subject.setdefault(reaction.event.name, []).append(reaction)

    @property
    def subjects(self) -> list[str]:
        return list(self._by_subject)

    async def settle(self, letters: list[Letter]) -> None:
        """Apply them, or keep those that fail. Raises where the database allows neither."""
        try:
            if concerned := await self._of_concern(letters):
                await self._commit(concerned)
        except Exception:
            # One of them, or the database: the next attempts tell.
            for letter in letters:
                await self._settle_alone(letter)

    async def _of_concern(self, letters: list[Letter]) -> list[Letter]:
        by_subject: dict[str, list[Letter]] = {}
        for letter in letters:
            by_subject.setdefault(letter.subject, []).append(letter)
        idle = {subject for subject, found in by_subject.items() if await self._concerns_none(subject, found)}
        return [letter for letter in letters if letter.subject not in idle]

    async def _concerns_none(self, subject: str, letters: list[Letter]) -> bool:
        """What can't be read is of concern."""
        reactions = self._by_subject.get(subject, [])
        if not reactions or any(reaction.concerns is None for reaction in reactions):
            return False
        try:
            heard = reactions[0].heard(letters)
        except msgspec.ValidationError:
            return False
        try:
            for reaction in reactions:
                if reaction.concerns is not None and await reaction.concerns(self._database, heard):
                    return False
        except Fault:
            raise
        except Exception:
            # It is a bug of ours, which taking them in would never show.
            log.exception("Whom events concern can't be told: they are taken in", extra={"subject": subject})
            return False
        return True

    async def try_one_again(self) -> bool:
        """Try one event that is due; False where none is."""
        async with self._database.transaction() as connection:
            letter = await store.due(connection, self.subjects, _ORPHANED)
            if letter is None:
                return False
            try:
                async with connection.transaction():
                    await self._apply(connection, [letter])
                    await store.done(connection, letter.id)
            except Exception as error:
                await self._failed(connection, letter, error)
            return True

    async def bury(self, letter: Letter, reason: str) -> None:
        """Give up what can't even be read."""
        async with self._database.transaction() as connection:
            await self._give_up(connection, letter, reason)

    async def _settle_alone(self, letter: Letter) -> None:
        try:
            await self._commit([letter])
        except Exception as error:
            async with self._database.transaction() as connection:
                await self._failed(connection, letter, error)

    async def _commit(self, letters: list[Letter]) -> None:
        async with self._database.transaction() as connection:
            fresh = await self._apply(connection, letters)
        metrics.EVENTS_HEARD.labels(self._service).inc(fresh)

    async def _apply(self, connection: Connection, letters: list[Letter]) -> int:
        """The number of those that were not heard before."""
        new = await store.see(connection, [letter.id for letter in letters])
        fresh = {letter.id: letter for letter in letters if letter.id in new}
        by_subject: dict[str, list[Letter]] = {}
        for letter in fresh.values():
            by_subject.setdefault(letter.subject, []).append(letter)
        # In one order, so that two processes at once wait for each other and never deadlock.
        for subject, found in sorted(by_subject.items()):
            await self._react(connection, subject, found)
        return len(fresh)

    async def _react(self, connection: Connection, subject: str, letters: list[Letter]) -> None:
        if subject not in self._by_subject:
            raise LookupError(f"this version of {self._service} has no reaction to {subject}")
        for reaction in self._by_subject[subject]:
            await reaction.apply(connection, reaction.heard(letters))

    async def _failed(self, connection: Connection, letter: Letter, error: Exception) -> None:
        """Written for later, or given up; told once that is so."""
        failed = replace(letter, tries=letter.tries + 1)
        reason = f"{type(error).__name__}: {error}"
        if failed.tries > len(self._backoff):
            await self._give_up(connection, failed, reason)
        else:
            await store.defer(connection, failed, reason, self._backoff[failed.tries - 1])
        metrics.EVENTS_FAILED.labels(self._service).inc()
        log.error("An event failed", extra=_named(failed), exc_info=error)

    async def _give_up(self, connection: Connection, letter: Letter, reason: str) -> None:
        await store.bury(connection, letter, reason)
        metrics.DEAD_LETTERS.labels(self._service).inc()
        log.error("An event was given up", extra={**_named(letter), "reason": reason})


def _named(letter: Letter) -> dict[str, object]:
    return {"event": letter.id, "subject": letter.subject, "tries": letter.tries}
