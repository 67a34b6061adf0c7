"""nats-py's client, with what we subscribe to heard as it is read.

nats-py puts each message into its subscription's queue and wakes a task that empties it. Our hearers hand off and
return, so they are called at once: no queue and no task a subscription, and nothing that could fall behind.
"""

from collections.abc import Callable

import nats.aio.client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription

Hearer = Callable[[Msg], None]


class Heard(Subscription):
    """One subscription of ours, kept by nats-py among its own: it makes them again after a reconnection."""

    def __init__(self, client: "Client", number: int, subject: str, queue: str, hearer: Hearer) -> None:
        super().__init__(client, number, subject, queue)  # pyright: ignore[reportUnknownMemberType] partly without types
        self.number, self.hearer = number, hearer


class Client(nats.aio.client.Client):
    async def hear(self, subject: str, hearer: Hearer, *, queue: str = "") -> Heard:
        """Raises OSError where the connection breaks, whose successor has the subscription all the same."""
        self._sid += 1
        heard = self._subs[self._sid] = Heard(self, self._sid, subject, queue, hearer)
        await self._send_subscribe(heard)
        return heard

    async def withdraw(self, heard: Heard) -> None:
        """Take nothing new; what the server had sent is still heard. Raises OSError."""
        await self._send_unsubscribe(heard.number)

    async def drop(self, heard: Heard) -> None:
        """Hear nothing more. Raises OSError."""
        self._remove_sub(heard.number)
        await self._send_unsubscribe(heard.number)

    async def _process_msg(self, sid: int, subject: bytes, reply: bytes, data: bytes, headers: bytes) -> None:
        heard = self._subs.get(sid)
        if not isinstance(heard, Heard):
            return await super()._process_msg(sid, subject, reply, data, headers)
        headed = await self._process_headers(headers)  # pyright: ignore[reportUnknownMemberType]
        try:
            heard.hearer(Msg(self, subject.decode(), reply.decode(), data, headed))
        except Exception as error:
            await self._error_cb(error)
