"""Interest in a subject: what one of our connections to NATS hears, however often it has to be made anew."""

import logging
from contextlib import suppress
from typing import TYPE_CHECKING

import nats.errors

from libs.bus.client import Client, Heard, Hearer
from libs.contracts.faults import Fault

if TYPE_CHECKING:
    from libs.bus.connection import Connection

log = logging.getLogger(__name__)


class Subscription:
    """Interest in a subject that outlives the connection it was made on."""

    def __init__(self, connection: "Connection", subject: str, hearer: Hearer, queue: str) -> None:
        self._connection = connection
        self._subject, self._hearer, self._queue = subject, hearer, queue
        self._client = Client()
        self._heard: Heard | None = None

    async def attach(self, client: Client) -> None:
        """Raises OSError where the connection breaks: nats-py subscribes by itself when it is back."""
        self._client = client
        self._heard = await client.hear(self._subject, self._hearer, queue=self._queue)

    async def leave(self) -> None:
        """Takes nothing new; all that the server had already sent is still heard before this returns."""
        try:
            if self._heard is not None and self._connection.connected:
                await self._client.withdraw(self._heard)
                await self._connection.flush()
        except (Fault, OSError):
            log.warning("NATS went while a subscription was left", extra={"subject": self._subject})
        finally:
            await self.drop()

    async def drop(self) -> None:
        """Ends at once; what was on its way is not heard."""
        self._connection.forget(self)
        heard, self._heard = self._heard, None
        if heard is not None and not self._client.is_closed:
            # Where the connection breaks meanwhile, the server forgets all of it.
            with suppress(OSError, nats.errors.Error):
                await self._client.drop(heard)
