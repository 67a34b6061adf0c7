"""Hearing: a service's ear on the stream of events. What it does with them is in `react.py`.

A message is acknowledged once what it holds is committed, be it as a reaction or as a row to try again; until then it
is kept from other processes, but for no longer than this one lives.
"""

import asyncio
import logging
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import asyncpg
import msgspec
from nats.aio.msg import Msg

from libs.bus.bus import Bus
from libs.bus.connection import Lost
from libs.bus.pull import KEEP_SECONDS, Pull, ensure_consumer
from libs.bus.react import BACKOFF, Heard, Reaction, Reactions
from libs.bus.store import Letter
from libs.contracts import ids
from libs.contracts.faults import Fault
from libs.contracts.subjects import Stated
from libs.postgres.database import Database

__all__ = ["Heard", "Hearing", "Reaction"]

log = logging.getLogger(__name__)

_PAUSE = 1.0
_DATABASE_FAILS = (Fault, asyncpg.PostgresError)
_batches = msgspec.msgpack.Decoder(list[Stated])


class Hearing:
    """All processes of a service share its consumer, so each event comes to one of them."""

    def __init__(
        self,
        bus: Bus,
        database: Database,
        *,
        service: str,
        reactions: Sequence[Reaction[Any]],
        backoff: Sequence[float] = BACKOFF,
    ) -> None:
        self._connection, self._service = bus.connection, service
        self._reactions = Reactions(database, reactions, service=service, backoff=backoff)
        self._pull = Pull(bus.connection, service)
        self._in_hand: list[Msg] = []
        self._stream = _Trouble("Events can't be heard now")
        self._new, self._failed = (
            _Trouble("Events wait for the database"),
            _Trouble("Failed events wait for the database"),
        )
        self._stopping = asyncio.Event()
        self._ended = asyncio.Event()
        self._ended.set()

    async def run(self) -> None:
        """Hear until `stop`; outages of NATS and Postgres are waited out."""
        self._ended.clear()
        await self._pull.begin()
        try:
            async with asyncio.TaskGroup() as tasks:
                keeping = tasks.create_task(self._keep())
                trying = tasks.create_task(self._try_again())
                await self._listen()
                await trying
                keeping.cancel()
        finally:
            await self._answer(self._kept, b"-NAK")
            await self._pull.end()
            self._ended.set()

    async def stop(self) -> None:
        """Finish the batch in hand."""
        self._stopping.set()
        self._pull.wake()
        await self._ended.wait()

    async def _listen(self) -> None:
        ready = False
        while not self._stopping.is_set():
            try:
                if not ready:
                    await ensure_consumer(self._connection, self._service, self._reactions.subjects)
                    ready = True
                messages = await self._pull.batch()
            except Fault as fault:
                self._stream.tell(fault)
                ready = False
                await self._pause()
            else:
                self._stream.end()
                await self._see_through(messages)

    async def _see_through(self, messages: list[Msg]) -> None:
        """Until all is committed; or we stop, and it is delivered again."""
        self._in_hand = messages
        while self._in_hand:
            try:
                await self._settle(messages)
                self._new.end()
                self._in_hand = []
            except _DATABASE_FAILS as error:
                self._new.tell(error)
                await self._pause()
                if self._stopping.is_set():
                    return
        await self._answer(messages, b"+ACK")

    async def _settle(self, messages: list[Msg]) -> None:
        letters: list[Letter] = []
        for message in messages:
            try:
                batch = _batches.decode(message.data)
            except msgspec.DecodeError as error:
                unreadable = Letter(ids.new(), message.subject, datetime.now(UTC), message.data)
                await self._reactions.bury(unreadable, f"no list of events: {error}")
            else:
                letters += [Letter(fact.id, message.subject, fact.at, bytes(fact.body)) for fact in batch]
        await self._reactions.settle(letters)

    async def _keep(self) -> None:
        """Says of what is here and not yet committed that it is worked on. For ever."""
        while True:
            await asyncio.sleep(KEEP_SECONDS)
            await self._answer(self._kept, b"+WPI")

    @property
    def _kept(self) -> list[Msg]:
        return [*self._in_hand, *self._pull.arrived]

    async def _answer(self, messages: list[Msg], word: bytes) -> None:
        try:
            for message in messages:
                await self._connection.publish(message.reply, word)
        except Lost:
            log.info("Events will come again: NATS went before they were acknowledged")

    async def _try_again(self) -> None:
        """Events that failed, when they are due."""
        while not self._stopping.is_set():
            try:
                while await self._reactions.try_one_again():
                    pass
                self._failed.end()
            except _DATABASE_FAILS as error:
                self._failed.tell(error)
            await self._pause()

    async def _pause(self) -> None:
        try:
            async with asyncio.timeout(_PAUSE):
                await self._stopping.wait()
        except TimeoutError:
            return


class _Trouble:
    """What is in the way again and again: a line of the log when it begins and when it changes, not for every try."""

    def __init__(self, message: str) -> None:
        self._message, self._told = message, ""

    def tell(self, error: Exception) -> None:
        if str(error) != self._told:
            log.warning(self._message, extra={"error": str(error)})
        self._told = str(error)

    def end(self) -> None:
        self._told = ""
