"""A service's consumer of the stream of events, and the pulling of its messages.

One request at a time is open at the server, for up to 100 messages and 4 s; after a reconnection another is made at
once, since the server forgot the one before.
"""

import asyncio
from collections import deque
from collections.abc import Iterable

import msgspec
import nats.js.errors
from msgspec import Struct
from nats.aio.msg import Msg
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy

from libs.bus.connection import Connection
from libs.bus.stream import EVENTS, ensure, faults
from libs.bus.subscription import Subscription
from libs.contracts.faults import Code, Fault

BATCH = 100

_EXPIRES = 4.0
_LATE = 1.0
# So soon another process gets what a killed one had; who is longer at it says so in time, three times over.
_ACK_SECONDS = 5.0
KEEP_SECONDS = _ACK_SECONDS / 3
_NOTHING_NOW = ("404", "408")
_HEARTBEAT = "100"


async def ensure_consumer(connection: Connection, service: str, subjects: Iterable[str]) -> None:
    """Make the service's durable consumer, or have it hear `subjects` too. Raises Fault UNAVAILABLE.

    It is never narrowed: a process of the version before, started again meanwhile, would lose the new one's events.
    """
    await ensure(connection)
    made = await _made(connection, service)
    heard = _subjects(made)
    wanted = sorted({*heard, *subjects})
    if made is not None and wanted == sorted(heard) and made.ack_wait == _ACK_SECONDS:
        return
    config = ConsumerConfig(
        name=service,
        durable_name=service,
        filter_subjects=wanted,
        deliver_policy=DeliverPolicy.ALL,
        ack_policy=AckPolicy.EXPLICIT,
        ack_wait=_ACK_SECONDS,
    )
    with faults(connection):
        await connection.jetstream().add_consumer(EVENTS, config)  # pyright: ignore[reportUnknownMemberType]


class Progress(Struct, frozen=True):
    """Numbers in the stream: the last message that any process of the service was given, and the last up to which all
    are taken in.
    """

    delivered: int
    taken_in: int


async def progress(connection: Connection, service: str) -> Progress:
    """How far all processes of the service together have come. Raises Fault UNAVAILABLE."""
    with faults(connection):
        try:
            found = await connection.jetstream().consumer_info(EVENTS, service)
        except nats.js.errors.NotFoundError:
            return Progress(0, 0)
    delivered, floor = found.delivered, found.ack_floor
    return Progress(delivered.stream_seq if delivered else 0, floor.stream_seq if floor else 0)


async def _made(connection: Connection, service: str) -> ConsumerConfig | None:
    with faults(connection):
        try:
            return (await connection.jetstream().consumer_info(EVENTS, service)).config
        except nats.js.errors.NotFoundError:
            return None


def _subjects(made: ConsumerConfig | None) -> list[str]:
    return [] if made is None else made.filter_subjects or [made.filter_subject or ""]


class Pull:
    """The messages of one consumer, as they come."""

    def __init__(self, connection: Connection, consumer: str) -> None:
        self._connection = connection
        self._subject = f"$JS.API.CONSUMER.MSG.NEXT.{EVENTS}.{consumer}"
        self._question = msgspec.json.encode({"batch": BATCH, "expires": int(_EXPIRES * 1e9)})
        self._inbox = ""
        self._subscription: Subscription | None = None
        self._arrived: deque[Msg] = deque()
        self._news = asyncio.Event()
        self._asked = 0
        self._open = 0
        self._until = 0.0
        self._trouble = ""

    async def begin(self) -> None:
        self._arrived.clear()
        self._open = 0
        self._inbox = self._connection.inbox()
        self._subscription = await self._connection.subscribe(f"{self._inbox}.*", self._heard)
        self._connection.on_reconnect(self._forgotten)

    async def end(self) -> None:
        """What arrived and was not taken is delivered again."""
        self._connection.off_reconnect(self._forgotten)
        if self._subscription is not None:
            await self._subscription.drop()

    async def batch(self) -> list[Msg]:
        """Up to 100 messages as soon as there are any, none after a few seconds or a `wake`.

        Raises Fault UNAVAILABLE where the consumer is gone or does not answer: make sure of it, and go on.
        """
        if not self._arrived:
            self._news.clear()
            await self._ask()
            await self._wait()
        if self._trouble:
            trouble, self._trouble = self._trouble, ""
            raise Fault(Code.UNAVAILABLE, f"The stream of events does not deliver: {trouble}")
        return [self._arrived.popleft() for _ in range(min(BATCH, len(self._arrived)))]

    @property
    def arrived(self) -> list[Msg]:
        """Those that nobody has taken yet."""
        return list(self._arrived)

    def wake(self) -> None:
        self._news.set()

    async def _ask(self) -> None:
        now = asyncio.get_running_loop().time()
        if self._open > 0 and now < self._until:
            return
        if not self._connection.connected:
            self._until = now + _LATE
            return
        self._asked += 1
        self._open, self._until = BATCH, now + _EXPIRES + _LATE
        await self._connection.publish(self._subject, self._question, reply=f"{self._inbox}.{self._asked}")

    async def _wait(self) -> None:
        try:
            async with asyncio.timeout_at(self._until):
                await self._news.wait()
        except TimeoutError:
            self._open = 0

    def _heard(self, message: Msg) -> None:
        status = message.headers.get("Status") if message.headers else None
        if status is None:
            self._arrived.append(message)
            self._open -= 1
        elif status == _HEARTBEAT or message.subject != f"{self._inbox}.{self._asked}":
            return
        else:
            self._open = 0
            if status not in _NOTHING_NOW:
                self._trouble = f"{status} {(message.headers or {}).get('Description', '')}"
        self._news.set()

    def _forgotten(self) -> None:
        self._open = 0
        self._news.set()
