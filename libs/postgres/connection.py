"""A connection as all services use it: JSON comes and goes as values, and what is to be woken is remembered."""

from typing import TYPE_CHECKING, Any, cast

import asyncpg
import msgspec

# As long as a server that is slow to let somebody in may take, in seconds.
_CONNECT_SECONDS = 10
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
    """asyncpg's, with what a pool must know of it. `topics` are to be woken once its work is committed."""

    __slots__ = ("topics",)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.topics: set[str] = set()

    def wake_after(self, topic: str) -> None:
        self.topics.add(topic)

    def woken(self) -> set[str]:
        """The topics, which are forgotten."""
        topics, self.topics = self.topics, set()
        return topics

    @property
    def at_rest(self) -> bool:
        """Whether nothing of its last use goes on: no statement that is being cancelled, no transaction."""
        protocol: Any = self._protocol
        return self._top_xact is None and not protocol._is_cancelling() and not protocol.is_in_transaction()

    async def come_to_rest(self) -> None:
        """Session state is not reset: there is none, and it would be a round trip."""
        protocol: Any = self._protocol
        if protocol._is_cancelling():
            await protocol._wait_for_cancellation()
        await self._reset()


async def connect(dsn: str, *, statement_cache_size: int, command_timeout: float) -> Connection:
    """Raises what asyncpg raises, TimeoutError after 10 s."""
    connection = await asyncpg.connect(
        dsn,
        statement_cache_size=statement_cache_size,
        command_timeout=command_timeout,
        connection_class=Connection,
        timeout=_CONNECT_SECONDS,
    )
    try:
        await connection.set_type_codec("jsonb", schema="pg_catalog", encoder=_jsonb, decoder=_json, format="binary")
    except BaseException as error:
        connection.terminate()
        if isinstance(error, asyncpg.InterfaceError):
            raise ConnectionError("The server closed the connection at its start.") from error
        raise
    return connection


def _jsonb(value: Any) -> bytes:
    return b"\x01" + _encode(value)


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
