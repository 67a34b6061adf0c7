"""The keeper of effects: reserves each for one request, keeps its answer, and lets go of what came to nothing.

Owner: the gateway. The rule: an effect's id is committed before anything is made, and everything is made under it. So
whoever takes up what a killed gateway left undone makes nothing twice, and neither do two who are at it at once.
"""

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any, TypeVar
from uuid import UUID

import msgspec
from msgspec import Struct

from libs.contracts import ids
from libs.contracts.faults import Code, Fault
from libs.postgres.database import Database
from libs.runtime.sealing import Sealer
from services.gateway.effects import store

T = TypeVar("T")

HEADER = "Idempotency-Key"
KEPT_HOURS = 24

_LEASE_SECONDS = 10.0
_RENEW_SECONDS = 3.0
_UPKEEP_SECONDS = 600.0
_BATCH = 1000
_FINISH_SECONDS = 1.0

log = logging.getLogger(__name__)
_encode = msgspec.msgpack.Encoder().encode


class Answer(Struct, frozen=True):
    """`streams`: it is no body but a stream, which whoever asks again reads anew from the same run."""

    status: int
    headers: list[tuple[str, str]] = []
    body: bytes = b""
    streams: bool = False


_decode = msgspec.msgpack.Decoder(Answer).decode


class Effect:
    """One request's. `answer` is set where it was answered before, `request` is that one's SHA-256.

    `about` is set by whoever has its answer speak of a run, with which that goes.
    """

    def __init__(self, effects: "Effects", scope: UUID, key: str, row: store.Row, answer: Answer | None) -> None:
        self.scope, self.key, self.id = scope, key, row.effect_id
        self.request, self.answer = row.request, answer
        self.about: UUID | None = None
        self._effects, self._made, self._spent = effects, 0, False

    def next_id(self) -> UUID:
        """The id of the next thing that the request makes: the same ones every time, in the same order."""
        self._made += 1
        return ids.derived(self.id, self._made - 1)

    def spend(self) -> None:
        """What was made has failed, or is gone: where the request is made again, it makes something new."""
        self._spent = True

    async def keep(self, answer: Answer, request: bytes | None = None) -> None:
        """Where the database is away the answer counts nevertheless: who asks again finds what was made."""
        kept = store.Kept(self._effects.sealed(self, answer), request, self.about)
        self.answer = answer
        await self._close(store.keep(self._effects.database, self.scope, self.key, self.id, kept))

    async def release(self) -> None:
        if self.answer is not None:
            return
        next_id = ids.new() if self._spent else self.id
        await self._close(store.release(self._effects.database, self.scope, self.key, self.id, next_id=next_id))

    async def _close(self, written: Coroutine[Any, Any, None]) -> None:
        try:
            await written
        except Fault as fault:
            log.warning("An effect is left to its lease", extra={"error": fault.message})
        finally:
            self._effects.leave(self)


class Effects:
    """`finish` it before the bus and the database are closed."""

    def __init__(self, database: Database, sealer: Sealer) -> None:
        self.database, self._sealer = database, sealer
        self._reserved: set[Effect] = set()
        self._tasks: set[asyncio.Task[Any]] = set()

    async def begin(self, scope: UUID, key: str, request: bytes | None) -> Effect:
        """To be brought about by the caller, or with its answer. `request` is None where the body is still to be read.

        Raises Fault CONFLICT while another brings it about, INVALID for a key that another request was made with.
        """
        while True:
            reserved = await store.reserve(
                self.database, scope, key, request=request, effect_id=ids.new(), seconds=_LEASE_SECONDS
            )
            if reserved is not None:
                effect = Effect(self, scope, key, store.Row(reserved, request, None), None)
                self._reserved.add(effect)
                return effect
            if (row := await store.get(self.database, scope, key)) is not None:
                return self._done(scope, key, row, request)

    def _done(self, scope: UUID, key: str, row: store.Row, request: bytes | None) -> Effect:
        if request is not None and row.request != request:
            raise other_request()
        if row.answer is None:
            message = f"The first request with this {HEADER} is still being answered: ask again."
            raise Fault(Code.CONFLICT, message, retry_after=1)
        if not row.answer:
            raise Fault(Code.NOT_FOUND, f"What the first request with this {HEADER} made was deleted since.")
        answer = _decode(self._sealer.open(row.answer, about=_about(scope, row.effect_id)))
        return Effect(self, scope, key, row, answer)

    def sealed(self, effect: Effect, answer: Answer) -> bytes:
        return self._sealer.seal(_encode(answer), about=_about(effect.scope, effect.id))

    def leave(self, effect: Effect) -> None:
        self._reserved.discard(effect)

    def own(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Goes on to its end, whether or not the client stays to hear of it."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # nobody need be waiting for it

    async def renew(self) -> None:
        """For ever: what this process is at stays reserved."""
        while True:
            await asyncio.sleep(_RENEW_SECONDS)
            if self._reserved:
                mine = [(effect.scope, effect.key) for effect in self._reserved]
                await store.renew(self.database, mine, seconds=_LEASE_SECONDS)

    async def upkeep(self) -> None:
        """For ever: what is older than a day is dropped."""
        while True:
            gone = await store.forget(self.database, hours=KEPT_HOURS, limit=_BATCH)
            await asyncio.sleep(_UPKEEP_SECONDS if gone < _BATCH else 0)

    async def finish(self) -> None:
        """Lets what is under way end for some seconds, and lets go of the rest."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=_FINISH_SECONDS)
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=_FINISH_SECONDS)


def other_request() -> Fault:
    return Fault(Code.INVALID, f"This {HEADER} came with another request before: use a new one.", field=HEADER)


def _about(scope: UUID, effect_id: UUID) -> bytes:
    return b"gateway.effects.answer " + scope.bytes + effect_id.bytes
