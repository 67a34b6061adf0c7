"""The stream of events: JetStream keeps what services state until every service has heard it.

Postgres is the truth: a lost stream is made anew here, and the outbox relays state again what it lacks.
"""

import logging
from collections.abc import Generator
from contextlib import contextmanager

import msgspec
import nats.errors
import nats.js.errors
from nats.js.api import DiscardPolicy, RetentionPolicy, StorageType, StreamConfig, StreamInfo

from libs.bus.connection import Connection, Lost
from libs.contracts.faults import Code, Fault
from libs.contracts.subjects import Stated
from libs.postgres.outbox import Stream

log = logging.getLogger(__name__)

EVENTS = "EVENTS"

_DAY = 24 * 3600.0
_KEPT = 7 * _DAY
_TRIES = 3
_ACK_SECONDS = 2.0
_NAME_IN_USE = 10058
_encoder = msgspec.msgpack.Encoder()


async def ensure(connection: Connection, *, replicas: int = 1) -> None:
    """Make the stream where there is none; one that an operator has changed stays as it is. Raises UNAVAILABLE."""
    if await _found(connection) is None:
        log.info("The stream of events is made")
        await _make(connection, replicas)


async def look(connection: Connection) -> Stream:
    """How the stream is now, for the relay to tell whether it lost what it had. Raises Fault UNAVAILABLE."""
    found = await _found(connection)
    if found is None:
        await _make(connection, 1)
        found = await _found(connection)
    if found is None:
        raise Lost(heard=True)
    return Stream(str(found.created), found.state.last_seq)


async def _found(connection: Connection) -> StreamInfo | None:
    with faults(connection):
        try:
            return await connection.jetstream().stream_info(EVENTS)
        except nats.js.errors.NotFoundError:
            return None


@contextmanager
def faults(connection: Connection) -> Generator[None]:
    """What JetStream does not answer, or answers with an error, is Fault UNAVAILABLE."""
    if not connection.connected:
        raise Lost(heard=False)
    try:
        yield
    except nats.errors.Error as error:
        raise Fault(Code.UNAVAILABLE, f"The stream of events can't be reached: {error!r}", retry_after=1) from error


async def _make(connection: Connection, replicas: int) -> None:
    config = StreamConfig(
        name=EVENTS,
        subjects=["event.>"],
        retention=RetentionPolicy.LIMITS,
        storage=StorageType.FILE,
        discard=DiscardPolicy.OLD,
        max_age=_KEPT,
        duplicate_window=120.0,
        num_replicas=replicas,
    )
    with faults(connection):
        try:
            await connection.jetstream().add_stream(config)  # pyright: ignore[reportUnknownMemberType] untyped **params
        except nats.js.errors.BadRequestError as error:
            # Another service was quicker, with other settings.
            if error.err_code != _NAME_IN_USE:
                raise


async def state(connection: Connection, subject: str, batch: list[Stated], message_id: str) -> int:
    """The sequence number of the message. A late try is repeated under the same id, which the stream drops."""
    body = _encoder.encode(batch)
    for _ in range(_TRIES):
        if not connection.connected:
            break
        try:
            headers = {"Nats-Msg-Id": message_id}
            ack = await connection.jetstream().publish(subject, body, timeout=_ACK_SECONDS, headers=headers)
            return ack.seq
        except nats.js.errors.NoStreamResponseError:
            await ensure(connection)
        except nats.errors.MaxPayloadError:
            raise Fault(Code.TOO_LARGE, f"{len(batch)} events of {subject} are {len(body):,} bytes together.") from None
        except nats.errors.Error as error:
            log.warning("An event was not taken in", extra={"subject": subject, "error": repr(error)})
    raise Lost(heard=True)
