"""A service's database: a pool whose every wait is bounded, with the faults of a server that is away named as such.

Owner: whoever connected it; it sees the one schema that its role's search_path names. The rule: no session state. What
a connection is given back with is what the next one gets, and behind PgBouncer a session is not ours at all.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from types import TracebackType
from typing import Any

import asyncpg
from asyncpg.exceptions import InternalClientError

from libs.contracts.faults import Fault
from libs.postgres.connection import Connection, connect
from libs.postgres.pool import Pool, PoolUse, unavailable

__all__ = ["Connection", "Database"]

COMMAND_SECONDS = 60.0
PULSE_SECONDS = 5.0
# The line for a connection does not move while the first in it has waited so long.
_PATIENCE = 2.0

# Stopping, out of connections or room, or of patience: nothing that another statement would put right.
_AWAY = (
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.IdleInTransactionSessionTimeoutError,
    ConnectionError,
)
_NOT_OURS = (asyncpg.ReadOnlySQLTransactionError, InternalClientError)
# Closed to us, whatever the reason: starting, a standby, no such database yet (or not open), another password.
_NO_ENTRY = (asyncpg.PostgresError, InternalClientError, OSError)


class Database:
    """Made by `connect`. `pulse` is a connection of its own for what must not wait behind work: leases and changes."""

    def __init__(self, pool: Pool, schema: str, pulse: "Database | None" = None) -> None:
        self.schema = schema
        self.pulse: Database = pulse or self
        self._pool = pool
        self._wakers: dict[str, list[Callable[[], None]]] = {}

    @classmethod
    async def connect(cls, dsn: str, *, schema: str, pool_size: int = 8, statement_cache_size: int = 100) -> "Database":
        """Up to `pool_size` connections, and one for the pulse. Behind PgBouncer `statement_cache_size` is 0.

        Raises Fault UNAVAILABLE while the server is away or lets nobody in, ValueError where the role's search_path is
        not the schema.
        """
        entry = partial(connect, dsn, statement_cache_size=statement_cache_size)
        # The pulse has a handful of users, each of which waits for itself.
        pulse = cls(Pool(partial(entry, command_timeout=PULSE_SECONDS), most=1), schema)
        pool = Pool(partial(entry, command_timeout=COMMAND_SECONDS), most=pool_size, patience=_PATIENCE)
        database = cls(pool, schema, pulse)
        try:
            await pulse._must_see_its_schema()
            await database._must_see_its_schema()
        except BaseException:
            await database.close()
            raise
        return database

    def acquire(self, *, timeout: float = 5.0) -> AbstractAsyncContextManager[Connection]:
        """A connection. Raises Fault UNAVAILABLE when none comes free in `timeout` seconds, at once where the line for
        one is full, when the server is away, or a statement takes over a minute.
        """
        return _Use(partial(self._take, timeout), self._give_back)

    @asynccontextmanager
    async def transaction(self, *, timeout: float = 5.0) -> AsyncGenerator[Connection]:
        """A connection inside BEGIN … COMMIT. Raises as `acquire` does; a COMMIT may then have happened or not."""
        async with self.acquire(timeout=timeout) as connection, connection.transaction():
            yield connection

    async def fetch(self, sql: str, *args: object) -> list[asyncpg.Record]:
        async with self.acquire() as connection:
            return await connection.fetch(sql, *args)

    async def fetchrow(self, sql: str, *args: object) -> asyncpg.Record | None:
        async with self.acquire() as connection:
            return await connection.fetchrow(sql, *args)

    async def fetchval(self, sql: str, *args: object) -> Any:
        async with self.acquire() as connection:
            return await connection.fetchval(sql, *args)

    async def execute(self, sql: str, *args: object) -> str:
        async with self.acquire() as connection:
            return await connection.execute(sql, *args)

    def on_commit(self, topic: str, waker: Callable[[], None]) -> None:
        """Call `waker` after each transaction of this process in which `connection.wake_after(topic)` was called."""
        self._wakers.setdefault(topic, []).append(waker)

    @property
    def refused(self) -> int:
        """Callers refused because the line for a connection did not move."""
        return self._pool.refused

    def use(self) -> PoolUse:
        return self._pool.use()

    async def close(self, *, timeout: float = 5.0) -> None:
        """Let work on connections end, for `timeout` seconds at most."""
        if self.pulse is not self:
            await self.pulse.close(timeout=timeout)
        await self._pool.close(timeout)

    async def _take(self, timeout: float) -> Connection:
        try:
            return await self._pool.take(timeout)
        except _NO_ENTRY as error:
            raise unavailable("The database is away.") from error

    def _give_back(self, connection: Connection) -> None:
        topics = connection.woken()
        self._pool.give_back(connection)
        for topic in topics:
            for waker in self._wakers.get(topic, []):
                waker()

    async def _must_see_its_schema(self) -> None:
        seen = await self.fetchval("SELECT current_schema()")
        if seen != self.schema:
            raise ValueError(
                f"The database role works in the schema {seen!r} instead of {self.schema!r}: "
                "run deploy/postgres-roles.sql in this database and connect with the service's own role."
            )


class _Use(AbstractAsyncContextManager[Connection]):
    """One use of a connection. A class, since it is on the way of every statement: a generator takes several times as
    long.
    """

    _connection: Connection

    def __init__(self, take: Callable[[], Awaitable[Connection]], give_back: Callable[[Connection], None]) -> None:
        self._take, self._give_back = take, give_back

    async def __aenter__(self) -> Connection:
        self._connection = await self._take()
        return self._connection

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        fault = None if error is None else _fault(error, self._connection)
        self._give_back(self._connection)
        if fault is not None:
            raise fault from error


def _fault(error: BaseException, connection: Connection) -> Fault | None:
    """What a caller is told of an error that is the server's, not the statement's."""
    if isinstance(error, TimeoutError):
        return unavailable("The database took too long.")
    if isinstance(error, _NOT_OURS):
        # A standby's, or told by the server that it ends and not closed yet: the next one is made anew.
        connection.terminate()
    elif not isinstance(error, _AWAY) and not (isinstance(error, asyncpg.InterfaceError) and connection.is_closed()):
        return None
    return unavailable("The database went away.")
