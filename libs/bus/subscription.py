"""Interest in a subject: what one of our connections to NATS hears, however often it has to be made anew."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TYPE_CHECKING

import nats.errors
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription as NatsSubscription

from libs.contracts.faults import Fault

if TYPE_CHECKING:
    from libs.bus.connection import Connection

log = logging.getLogger(__name__)

Hearer = Callable[[Msg], Awaitable[None]]

_PENDING_MESSAGES = 512 * 1024


class Subscription:
    """Interest in a subject that outlives the connection it was made on."""

    def __init__(self, connection: "Connection", subject: str, heard: Hearer, queue: str, max_bytes: int) -> None:
        self._connection = connection
        self._subject, self._heard, self._queue, self._max_bytes = subject, heard, queue, max_bytes
        self._client = Client()
        self._inner: NatsSubscription | None = None

    async def attach(self, client: Client) -> None:
        """Raises OSError where the connection breaks: nats-py subscribes by itself when it is back."""
        self._client = client
        self._inner = await client.subscribe(  # pyright: ignore[reportUnknownMemberType] its futures have no type
            self._subject,
            self._queue,
            self._heard,
            pending_msgs_limit=_PENDING_MESSAGES,
            pending_bytes_limit=self._max_bytes,
        )

    async def leave(self) -> None:
        """Takes nothing new; all that the server had already sent is still heard before this returns."""
        inner = self._inner
        try:
            if inner is not None and self._connection.connected:
                await self._withdraw(inner)
                await self._connection.flush()
            # nats-py has no event for a subscription that has handed off all it had.
            while inner is not None and inner.pending_msgs and not self._client.is_closed:  # noqa: ASYNC110
                await asyncio.sleep(0)
        except (Fault, OSError):
            log.warning("NATS went while a subscription was left", extra={"subject": self._subject})
        finally:
            await self.drop()

    async def drop(self) -> None:
        """Ends at once; what was on its way is not heard."""
        self._connection.forget(self)
        inner, self._inner = self._inner, None
        if inner is None or self._client.is_closed:
            return
        # Where the connection breaks meanwhile, the server forgets all of it.
        with suppress(OSError, nats.errors.Error):
            if not self._client.is_connected:
                # A SUB may still wait to be sent on reconnection.
                await self._withdraw(inner)
            await inner.unsubscribe()

    async def _withdraw(self, inner: NatsSubscription) -> None:
        """What nats-py's drain() begins with; the rest of it waits in its own flush(), see Connection.flush."""
        await self._client._send_unsubscribe(inner._id)  # pyright: ignore[reportPrivateUsage]
