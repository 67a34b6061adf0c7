"""Connections to one server, kept for whoever comes next: made where there is need, up to a number, and closed after
minutes without use.

asyncpg's own pool takes two tasks and a proxy for each use, as much time again as a short statement. The rule: a place
in the pool belongs to one connection, from before it is made until it is closed, and is handed on or freed but once.
"""

import asyncio
import math
import time
from collections.abc import Awaitable, Callable

from msgspec import Struct

from libs.contracts.faults import Code, Fault
from libs.postgres.connection import Connection
from libs.runtime.tasks import Tasks

# The line for a connection is full with so many waiting.
_LONGEST_LINE = 1000
# A cancelled statement may still have to end, and so may a connection.
_END_SECONDS = 5.0
_IDLE_SECONDS = 300.0


class PoolUse(Struct, frozen=True):
    """Connections open, those of them idle, callers waiting for one, and the most that may be open."""

    size: int
    idle: int
    waiting: int
    most: int


class Pool:
    """`patience`: nobody joins the line while the first in it has waited longer, in seconds."""

    def __init__(self, connect: Callable[[], Awaitable[Connection]], *, most: int, patience: float = math.inf) -> None:
        self._connect, self._most, self._patience = connect, most, patience
        self._places = 0
        self._open: set[Connection] = set()
        self._idle: list[tuple[Connection, float]] = []
        self._line: dict[asyncio.Future[Connection | None], float] = {}
        self._closing: asyncio.Future[None] | None = None
        self._tasks = Tasks()
        self._loop = asyncio.get_running_loop()
        self._trimming = self._loop.call_later(_IDLE_SECONDS, self._trim)
        self.refused = 0

    def use(self) -> PoolUse:
        return PoolUse(len(self._open), len(self._idle), len(self._line), self._most)

    async def take(self, timeout: float) -> Connection:
        """A connection, to be given back. Raises Fault UNAVAILABLE where none is free within `timeout` seconds, at once
        where the line does not move; else what connecting raises.
        """
        while self._idle:
            connection, _ = self._idle.pop()
            if not connection.is_closed():
                return connection
            self._lose(connection)
        try:
            async with asyncio.timeout(timeout):
                return await self._given() or await self._made()
        except TimeoutError:
            raise unavailable("The database is busy.") from None

    def give_back(self, connection: Connection) -> None:
        if connection.is_closed():
            self._lose(connection)
        elif connection.at_rest:
            self._hand_on(connection)
        else:
            self._tasks.start(self._rest(connection))

    async def close(self, timeout: float) -> None:
        """Nobody gets one from here on. What is out may come back for `timeout` seconds, then it is cut off."""
        self._closing = self._loop.create_future()
        self._trimming.cancel()
        for turn in self._line:
            if not turn.done():
                turn.set_exception(_closed())
        while self._idle:
            self._tasks.start(self._end(self._idle.pop()[0]))
        try:
            async with asyncio.timeout(timeout):
                if self._places:
                    await self._closing
        except TimeoutError:
            for connection in self._open:
                connection.terminate()
        await self._tasks.finish()

    async def _given(self) -> Connection | None:
        """Another's connection, or None with a place to make one in."""
        if self._closing is not None:
            raise _closed()
        if self._places < self._most:
            self._places += 1
            return None
        self._must_move()
        turn: asyncio.Future[Connection | None] = self._loop.create_future()
        self._line[turn] = time.monotonic()
        try:
            return await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled() and turn.exception() is None:
                self._pass_on(turn.result())
            raise
        finally:
            self._line.pop(turn, None)

    def _must_move(self) -> None:
        """Whoever would only wait for a time-out is told at once."""
        since = next(iter(self._line.values()), math.inf)
        if len(self._line) >= _LONGEST_LINE or time.monotonic() - since > self._patience:
            self.refused += 1
            raise unavailable("The database is busy.")

    async def _made(self) -> Connection:
        """In the place that is ours."""
        try:
            connection = await self._connect()
        except BaseException:
            self._free()
            raise
        self._open.add(connection)
        return connection

    def _pass_on(self, given: Connection | None) -> None:
        if given is None:
            self._free()
        else:
            self.give_back(given)

    def _hand_on(self, connection: Connection) -> None:
        turn = self._next()
        if turn is not None:
            turn.set_result(connection)
        elif self._closing is None:
            self._idle.append((connection, time.monotonic()))
        else:
            self._tasks.start(self._end(connection))

    def _lose(self, connection: Connection) -> None:
        self._open.discard(connection)
        self._free()

    def _free(self) -> None:
        turn = self._next()
        if turn is not None:
            turn.set_result(None)
            return
        self._places -= 1
        if not self._places and self._closing is not None and not self._closing.done():
            self._closing.set_result(None)

    def _next(self) -> "asyncio.Future[Connection | None] | None":
        """The first in line, who leaves it."""
        while self._line:
            turn = next(iter(self._line))
            del self._line[turn]
            if not turn.done():
                return turn
        return None

    async def _rest(self, connection: Connection) -> None:
        try:
            async with asyncio.timeout(_END_SECONDS):
                await connection.come_to_rest()
        except Exception:  # whatever it is in the middle of, nobody else is to have it
            connection.terminate()
        self._lose(connection) if connection.is_closed() else self._hand_on(connection)

    async def _end(self, connection: Connection) -> None:
        try:
            async with asyncio.timeout(_END_SECONDS):
                await connection.close()
        except Exception:  # it is gone all the same
            connection.terminate()
        self._lose(connection)

    def _trim(self) -> None:
        """Those that have been idle longest are first."""
        last = time.monotonic() - _IDLE_SECONDS
        while self._idle and self._idle[0][1] <= last:
            self._tasks.start(self._end(self._idle.pop(0)[0]))
        self._trimming = self._loop.call_later(_IDLE_SECONDS / 5, self._trim)


def unavailable(message: str) -> Fault:
    return Fault(Code.UNAVAILABLE, message, retry_after=1)


def _closed() -> Fault:
    return unavailable("The service stops.")
