"""A service's database: a pool whose every wait is bounded, with the faults of a server that is away named as such.

Owner: whoever connected it; it sees the one schema that its role's search_path names. The rule: no session state. What
a connection is given back with is what the next one gets, and behind PgBouncer a session is not ours at all.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any, cast

import asyncpg
import msgspec
from asyncpg.exceptions import InternalClientError
from msgspec import Struct

from libs.contracts.faults import Code, Fault

COMMAND_SECONDS = 60.0
PULSE_SECONDS = 5.0
# The line for a connection is full with so many waiting, or while the first in it has waited so long.
_LONGEST_LINE = 1000
_PATIENCE = 2.0
# A cancelled statement may still have to end.
_RELEASE_SECONDS = 5.0

# Stopping, out of connections or room, or of patience: nothing that another statement would put right.
_AWAY = (
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.IdleInTransactionSessionTimeoutError,
    ConnectionError,
)
# Closed to us, whatever the reason: starting, a standby, no such database yet (or not open), another password.
_NO_ENTRY = (asyncpg.PostgresError, InternalClientError, OSError)
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode
# Digits as one digit, to be searched for a number of so many that it may not fit into 64 bits.
_ALIKE = bytes.maketrans(b"123456789", b"0" * 9)
_LONG = b"0" * 19
_LEAST, _MOST = -(2**63), 2**64 - 1


if TYPE_CHECKING:
    _Base = asyncpg.Connection[asyncpg.Record]
else:  # generic in its stubs alone
    _Base = asyncpg.Connection


class Connection(_Base):
    """asyncpg's connection, which also remembers what is to be woken once its work is committed."""

    __slots__ = ("topics",)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.topics: set[str] = set()

    def wake_after(self, topic: str) -> None:
        self.topics.add(topic)

    def itself(self) -> "Connection":
        """Behind the pool's proxy, which forgets its connection when that is lost."""
        return self


class PoolUse(Struct, frozen=True):
    """Connections open, those of them idle, callers waiting for one, and the most that may be open."""

    size: int
    idle: int
    waiting: int
    most: int


class Database:
    """Made by `connect`. `pulse` is a connection of its own for what must not wait behind work: leases and changes."""

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]", schema: str, pulse: "Database | None" = None) -> None:
        self.schema = schema
        self.pulse: Database = pulse or self
        self._pool = pool
        self._waiting: dict[object, float] = {}
        self.refused = 0
        self._wakers: dict[str, list[Callable[[], None]]] = {}

    @classmethod
    async def connect(cls, dsn: str, *, schema: str, pool_size: int = 8, statement_cache_size: int = 100) -> "Database":
        """Up to `pool_size` connections, and one for the pulse. Behind PgBouncer `statement_cache_size` is 0.

        Raises Fault UNAVAILABLE while the server is away or lets nobody in, ValueError where the role's search_path is
        not the schema.
        """
        pulse = cls(await _pool(dsn, 1, statement_cache_size, PULSE_SECONDS), schema)
        try:
            await pulse._must_see_its_schema()
            return cls(await _pool(dsn, pool_size, statement_cache_size, COMMAND_SECONDS), schema, pulse)
        except BaseException:
            await pulse.close()
            raise

    @asynccontextmanager
    async def acquire(self, *, timeout: float = 5.0) -> AsyncGenerator[Connection]:
        """A connection. Raises Fault UNAVAILABLE when none comes free in `timeout` seconds, at once where the line for
        one is full, when the server is away, or a statement takes over a minute.
        """
        connection = await self._take(timeout)
        bare = connection.itself()
        try:
            with _faults_of(bare):
                yield connection
        finally:
            await self._give_back(connection, bare)

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

    def use(self) -> PoolUse:
        return PoolUse(self._pool.get_size(), self._pool.get_idle_size(), len(self._waiting), self._pool.get_max_size())

    async def close(self, *, timeout: float = 5.0) -> None:
        """Let work on connections end, for `timeout` seconds at most."""
        if self.pulse is not self:
            await self.pulse.close(timeout=timeout)
        try:
            await asyncio.wait_for(self._pool.close(), timeout)
        except TimeoutError:
            self._pool.terminate()

    async def _take(self, timeout: float) -> Connection:
        self._must_take_more()
        place = object()
        self._waiting[place] = time.monotonic()
        try:
            # asyncpg's own time limit would take a task for each acquisition.
            async with asyncio.timeout(timeout):
                return cast("Connection", await self._pool.acquire())
        except TimeoutError:
            raise _unavailable("The database is busy.") from None
        except (*_NO_ENTRY, asyncpg.InterfaceError) as error:
            raise _unavailable("The database is away.") from error
        finally:
            del self._waiting[place]

    def _must_take_more(self) -> None:
        """Raises Fault UNAVAILABLE where the line does not move: whoever would wait for a time-out is told at once.

        The pulse has a handful of users, each of which waits for itself.
        """
        if not self._waiting or self.pulse is self:
            return
        since = next(iter(self._waiting.values()))
        if len(self._waiting) >= _LONGEST_LINE or time.monotonic() - since > _PATIENCE:
            self.refused += 1
            raise _unavailable("The database is busy.")

    async def _give_back(self, connection: Connection, bare: Connection) -> None:
        topics, bare.topics = bare.topics, set()
        if bare.is_closed():
            bare.terminate()  # asyncpg 0.31 alone leaves some lost connections' places in the pool taken for ever
        with _faults_of(bare):
            await self._pool.release(cast("Any", connection), timeout=_RELEASE_SECONDS)
        self._wake(topics)

    def _wake(self, topics: set[str]) -> None:
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


async def _pool(dsn: str, size: int, statement_cache_size: int, seconds: float) -> "asyncpg.Pool[asyncpg.Record]":
    try:
        return await asyncpg.create_pool(
            dsn,
            min_size=1,
            max_size=size,
            statement_cache_size=statement_cache_size,
            command_timeout=seconds,
            connection_class=Connection,
            init=_speak_json,
            reset=cast("Any", _keep),
            timeout=10,
        )
    except _NO_ENTRY as error:
        raise _unavailable("The database is away.") from error


async def _speak_json(connection: "asyncpg.Connection[asyncpg.Record]") -> None:
    await connection.set_type_codec(
        "jsonb",
        schema="pg_catalog",
        encoder=lambda value: b"\x01" + _encode(value),
        decoder=_json,
        format="binary",
    )


def _json(body: bytes) -> Any:
    """The value as it was written: Postgres spells 1e20 out, which is an integer then that MessagePack can't carry."""
    value = _decode(memoryview(body)[1:])
    return _narrow(value) if _LONG in body.translate(_ALIKE) else value


def _narrow(value: Any) -> Any:
    match value:
        case int() if not _LEAST <= value <= _MOST:
            return float(value)
        case list():
            return [_narrow(item) for item in cast("list[Any]", value)]
        case dict():
            return {key: _narrow(item) for key, item in cast("dict[Any, Any]", value).items()}
        case _:
            return value


async def _keep(_: "asyncpg.Connection[asyncpg.Record]") -> None:
    """There is no session state to reset: that would be a round trip for every use of a connection."""


@contextmanager
def _faults_of(connection: Connection) -> Generator[None]:
    try:
        yield
    except (asyncpg.ReadOnlySQLTransactionError, InternalClientError) as error:
        # A standby's, or told by the server that it ends and not closed yet: the next one is made anew.
        connection.terminate()
        raise _unavailable("The database went away.") from error
    except _AWAY as error:
        raise _unavailable("The database went away.") from error
    except TimeoutError as error:
        raise _unavailable("The database took too long.") from error
    except asyncpg.InterfaceError as error:
        if not connection.is_closed():
            raise
        raise _unavailable("The database went away.") from error


def _unavailable(message: str) -> Fault:
    return Fault(Code.UNAVAILABLE, message, retry_after=1)
