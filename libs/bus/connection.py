"""The connection to NATS: what is sent, asked and subscribed goes through here, and comes back after every outage.

Built on nats-py's core client; JetStream's own parts are in `stream.py`. A question fails at once when the connection
is away or goes: an answer that could still come is worth less than a caller who knows.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from functools import partial
from itertools import count
from typing import Any

import nats.errors
from nats.aio.msg import Msg
from nats.js import JetStreamContext

from libs.bus import metrics
from libs.bus.client import Client, Hearer
from libs.bus.question import PAUSES, Ask, Question, unserved
from libs.bus.subscription import Subscription
from libs.contracts.faults import Code, Fault
from libs.runtime.tasks import Tasks

log = logging.getLogger(__name__)

Headers = dict[str, str] | None
Heading = Callable[[float], Headers]

_CONNECT_SECONDS = 3
_RECONNECT_SECONDS = 0.25
# A connection that nothing comes through is given up after two or three of them.
_PING_SECONDS = 3
_FLUSH_SECONDS = 10.0
_MOST_AGAIN = 64


class Lost(Fault):
    """NATS can't be reached. `heard` where the question had left: whether it arrived is not known."""

    def __init__(self, *, heard: bool) -> None:
        super().__init__(Code.UNAVAILABLE, "The services can't reach each other; try again.", retry_after=1)
        self.heard = heard


class Connection:
    """`name` is shown by the server; replies come to `_INBOX.<inbox>.>`, which nats.conf keeps to one service."""

    def __init__(self, url: str, *, name: str, inbox: str, user: str = "", password: str = "") -> None:
        self._servers = url.split(",")
        self._name, self._user, self._password = name, user, password
        self._prefix = f"_INBOX.{inbox}"
        self._client = Client()
        self._replies = ""
        self._tokens = count(1)
        self._awaited: dict[str, Question] = {}
        self._repeats = 0
        self._subscriptions: set[Subscription] = set()
        self._reconnected: set[Callable[[], object]] = set()
        self._tasks = Tasks()
        self._up = asyncio.Event()
        self._closing = False

    async def open(self) -> None:
        """Raises Fault UNAVAILABLE when no server answers within 3 s."""
        await self._connect()
        self._replies = f"{self.inbox()}."
        await self.subscribe(f"{self._replies}*", self._answered)

    @property
    def connected(self) -> bool:
        return self._client.is_connected and not self._closing

    def inbox(self) -> str:
        """A subject that nobody else has."""
        return self._client.new_inbox()

    def jetstream(self) -> JetStreamContext:
        return JetStreamContext(self._client, timeout=2)

    async def publish(self, subject: str, body: bytes, *, reply: str = "", headers: Headers = None) -> None:
        """Sends, or keeps for the reconnection where there is room. Raises Lost where there is none."""
        try:
            await self._client.publish(subject, body, reply, headers)
        except (nats.errors.OutboundBufferLimitError, nats.errors.ConnectionClosedError):
            raise Lost(heard=False) from None
        except OSError:
            # Broken, and nats-py is still about to notice.
            raise Lost(heard=True) from None

    async def request(self, subject: str, body: bytes, *, heading: Heading, timeout: float, again: bool = False) -> Msg:
        """Raises Lost, Unserved where nobody listens, or Fault TIMEOUT after `timeout` seconds.

        `heading`: the headers, given the seconds left. `again`: what is not answered soon is asked again.
        """
        token, until = str(next(self._tokens)), asyncio.get_running_loop().time() + timeout

        def ask() -> Coroutine[Any, Any, None]:
            left = until - asyncio.get_running_loop().time()
            return self.publish(subject, body, reply=self._replies + token, headers=heading(left))

        message = await self._answer(token, ask, timeout, pauses=PAUSES if again else ())
        if unserved(message):
            raise Unserved(subject)
        return message

    async def flush(self) -> None:
        """Raises Lost. Returns once the server has taken in what was sent before: the message to ourselves came back.

        nats-py's own flush() is not used: when it is cancelled or late, the PONG that comes after ends its read loop.
        """
        token = str(next(self._tokens))
        await self._answer(token, lambda: self.publish(self._replies + token, b""), _FLUSH_SECONDS)

    async def settled(self) -> None:
        """Flush, through as many outages as it takes."""
        while not self._closing:
            await self._up.wait()
            try:
                await self.flush()
                break
            except Fault:
                await asyncio.sleep(_RECONNECT_SECONDS)

    async def _answer(self, token: str, ask: Ask, timeout: float, *, pauses: Sequence[float] = ()) -> Msg:
        if not self.connected:
            raise Lost(heard=False)
        question = self._awaited[token] = Question(timeout)
        try:
            await ask()
            question.repeat(partial(self._ask_again, ask), pauses)
            return await question.answer
        finally:
            question.close()
            self._repeats -= question.repeats
            del self._awaited[token]

    def _ask_again(self, ask: Ask) -> bool:
        """False where that is too much: what is slow for so many is not slow for one process that hangs."""
        if not self.connected or self._repeats >= _MOST_AGAIN:
            return False
        self._repeats += 1
        self._tasks.start(self._sent_again(ask()))
        return True

    async def _sent_again(self, sending: Coroutine[Any, Any, None]) -> None:
        metrics.ASKED_TWICE.inc()
        try:
            await sending
        except Lost:
            return

    def _answered(self, message: Msg) -> None:
        question = self._awaited.get(message.subject[len(self._replies) :])
        if question is not None:
            question.hear(message)

    async def subscribe(self, subject: str, hearer: Hearer, *, queue: str = "") -> Subscription:
        """Live once a later message on this connection is answered, or after `flush`. `hearer` hands off and returns:
        nothing else is heard meanwhile.
        """
        subscription = Subscription(self, subject, hearer, queue)
        self._subscriptions.add(subscription)
        try:
            await subscription.attach(self._client)
        except OSError:
            self.forget(subscription)
            raise Lost(heard=False) from None
        return subscription

    def forget(self, subscription: Subscription) -> None:
        self._subscriptions.discard(subscription)

    def on_reconnect(self, callback: Callable[[], object]) -> None:
        self._reconnected.add(callback)

    def off_reconnect(self, callback: Callable[[], object]) -> None:
        self._reconnected.discard(callback)

    async def close(self) -> None:
        self._closing = True
        self._fail_awaited()
        await self._tasks.cancel()
        if not self._client.is_closed:
            await self._client.close()

    async def _connect(self) -> None:
        client = Client()
        try:
            async with asyncio.timeout(_CONNECT_SECONDS):
                await self._dial(client)
        except (TimeoutError, OSError, nats.errors.Error) as error:
            await client.close()
            log.warning("NATS can't be reached", extra={"error": repr(client.last_error or error)})
            raise Lost(heard=False) from error
        self._client = client
        self._up.set()

    async def _dial(self, client: Client) -> None:
        await client.connect(
            list(self._servers),
            name=self._name,
            user=self._user or None,
            password=self._password or None,
            inbox_prefix=self._prefix,
            connect_timeout=_CONNECT_SECONDS,
            reconnect_time_wait=_RECONNECT_SECONDS,  # pyright: ignore[reportArgumentType] a float is as good to it
            max_reconnect_attempts=-1,
            ping_interval=_PING_SECONDS,
            max_outstanding_pings=2,
            error_cb=self._on_error,
            disconnected_cb=self._on_lost,
            reconnected_cb=self._on_back,
            closed_cb=partial(self._on_closed, client),
        )

    async def _on_lost(self) -> None:
        if not self._closing:
            log.warning("NATS is away")
        self._up.clear()
        self._fail_awaited()

    async def _on_back(self) -> None:
        log.info("NATS is back")
        self._up.set()
        for callback in list(self._reconnected):
            callback()

    async def _on_closed(self, client: Client) -> None:
        """nats-py gives up for ever on an error that the server sends, e.g. after a changed password: begin anew."""
        if client is self._client and not self._closing:
            self._tasks.start(self._renew())

    async def _renew(self) -> None:
        while True:
            try:
                await self._connect()
                break
            except Lost:
                await asyncio.sleep(_RECONNECT_SECONDS)
        for subscription in list(self._subscriptions):
            if subscription in self._subscriptions:
                with suppress(OSError):
                    await subscription.attach(self._client)
        await self._on_back()

    async def _on_error(self, error: Exception) -> None:
        if "permissions violation" in str(error).lower():
            log.error("NATS refused a subject", extra={"error": str(error)})
        elif isinstance(error, nats.errors.Error | OSError | TimeoutError):
            log.debug("The connection to NATS failed", extra={"error": repr(error)})
        else:
            log.error("A message of NATS could not be heard", exc_info=error)

    def _fail_awaited(self) -> None:
        for question in self._awaited.values():
            question.fail(Lost(heard=True))


class Unserved(Fault):
    """Nobody listens on the subject now. Callers are told that, not what our subjects are called."""

    def __init__(self, subject: str) -> None:
        super().__init__(Code.UNAVAILABLE, "A service that this needs is not running now; try again.", retry_after=1)
        self.subject = subject
