"""The bus: services ask, answer, publish and state through it, typed by the contracts.

Owner of everything on the wire: subjects `rpc.*` (with `.<instance>` for one of several), `feed.*`, `event.*`,
`nudge.*`, and the headers Pv-Timeout (milliseconds left), Pv-Request, Pv-Fault and Pv-Blob. A call ends with its reply
or a Fault, never in silence.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import msgspec
from nats.aio.msg import Msg

from libs.blobs import Blobs
from libs.bus import deadline, metrics, stream
from libs.bus.bodies import BLOB, Bodies
from libs.bus.connection import Connection, Lost, Unserved
from libs.bus.pull import Progress, progress
from libs.bus.serve import FAULT, REQUEST, TIMEOUT, Served
from libs.contracts.faults import Failure, Fault
from libs.contracts.subjects import MAY_CALL, Feed, Rpc, Stated, may_call
from libs.postgres.outbox import Stream
from libs.runtime import logs
from libs.runtime.tasks import Tasks

log = logging.getLogger(__name__)

Request = TypeVar("Request")
Reply = TypeVar("Reply")
Item = TypeVar("Item")

_failures = msgspec.msgpack.Decoder(Failure)


class Bus:
    """One service's place on the bus; `owner` is the service's name, `instance` this process's."""

    def __init__(self, connection: Connection, *, owner: str, instance: str, blobs: Blobs) -> None:
        self.owner, self.instance = owner, instance
        self.connection = connection
        self._tasks = Tasks()
        self.bodies = Bodies(blobs, self._tasks)
        self._served: list[Served[Any, Any]] = []

    @classmethod
    async def connect(
        cls, url: str, *, owner: str, instance: str, blobs: Blobs, user: str = "", password: str = "", name: str = ""
    ) -> "Bus":
        """Raises Fault UNAVAILABLE when NATS can't be reached now; once connected it reconnects for ever."""
        connection = Connection(url, name=name or instance, inbox=owner, user=user, password=password)
        await connection.open()
        return cls(connection, owner=owner, instance=instance, blobs=blobs)

    @property
    def connected(self) -> bool:
        return self.connection.connected

    async def call(
        self, rpc: Rpc[Request, Reply], request: Request, *, timeout: float = 10.0, to: str | None = None
    ) -> Reply:
        """The owner's answer within `timeout` seconds, or less where this call's own caller waits less.

        `to` asks one instance. Where nothing comes for a second the question is put to the owner's processes again, if
        that does no more than asking once: the one that has it may hang. Raises the Fault that the owner raised,
        UNAVAILABLE where nobody answers or NATS is away, TIMEOUT.
        """
        if not may_call(self.owner, rpc):
            raise ValueError(f"{self.owner} may not call {rpc.name}: only {sorted(MAY_CALL[self.owner])}")
        subject = rpc.name if to is None else f"{rpc.name}.{to}"
        request_id = logs.request_id.get()
        body, headers = await self.bodies.fitted(rpc.pack(request), {REQUEST: request_id} if request_id else None)
        again = to is None and rpc.may_repeat(request)
        answer = await self._ask(subject, body, headers or {}, deadline.remaining(timeout), again=again)
        packed = answer.data if answer.headers is None else await self._read(answer)
        return rpc.unpack_reply(packed)

    async def _ask(self, subject: str, body: bytes, headers: dict[str, str], seconds: float, *, again: bool) -> Msg:
        def heading(left: float) -> dict[str, str]:
            return headers | {TIMEOUT: str(int(left * 1000))}

        # A blob is gone once it has been read.
        again = again and BLOB not in headers
        try:
            return await self.connection.request(subject, body, heading=heading, timeout=seconds, again=again)
        except (Unserved, Lost):
            if BLOB in headers:
                self.bodies.discard(headers[BLOB])
            raise

    async def _read(self, answer: Msg) -> bytes:
        body = await self.bodies.read(answer)
        if answer.headers is not None and FAULT in answer.headers:
            raise Fault.of(_failures.decode(body))
        return body

    async def heard(self) -> Progress:
        """How far this service, in all its processes, has taken in the stream of events. Raises Fault UNAVAILABLE."""
        return await progress(self.connection, self.owner)

    async def serve(
        self,
        rpc: Rpc[Request, Reply],
        handler: Callable[[Request], Awaitable[Reply]],
        *,
        slots: int = 64,
        instance: bool = False,
    ) -> Served[Request, Reply]:
        """Answer `rpc` with `handler`, at most `slots` at once; live when this returns.

        `instance`: as this instance alone (`call(…, to=instance)`), else as one of the owner's queue group.
        """
        if rpc.owner != self.owner:
            raise ValueError(f"{rpc.name} is served by {rpc.owner}, not by {self.owner}")
        subject, queue = (f"{rpc.name}.{self.instance}", "") if instance else (rpc.name, self.owner)
        served = Served(self.connection, self.bodies, rpc, handler, subject=subject, queue=queue, slots=slots)
        self._served.append(served)
        metrics.watch(served, rpc.name, self.instance)
        await served.resume()
        return served

    async def publish(self, feed: Feed[Item], id: object, item: Item) -> None:
        """Send a frame to whoever follows now. One that can't be sent is counted: followers ask for what they miss."""
        if not self.connection.connected:
            metrics.FRAMES_UNSENT.inc()
            return
        try:
            body, headers = await self.bodies.fitted(feed.pack(item))
            await self.connection.publish(feed.of(id), body, headers=headers)
        except Fault as fault:
            metrics.FRAMES_UNSENT.inc()
            log.warning("A frame was not published", extra={"feed": feed.name, "error": fault.message})

    async def hear_feed(self, feed: Feed[Item], heard: Callable[[Item], object]) -> None:
        """`heard` with every item of the feed that arrives, whoever sent it; one that can't be read is passed over."""

        def tell(body: bytes) -> None:
            try:
                item = feed.unpack(body)
            except msgspec.DecodeError:
                miss()
            else:
                heard(item)

        def miss() -> None:
            log.warning("An item of a feed can't be read", extra={"feed": feed.name})

        await self.connection.subscribe(feed.of("*"), self.bodies.in_turn(tell, miss).hear)

    async def state(self, subject: str, batch: list[Stated], message_id: str) -> int:
        """Hand a batch of facts to the stream of events; its sequence number there. Raises Fault UNAVAILABLE."""
        return await stream.state(self.connection, subject, batch, message_id)

    async def look(self) -> Stream:
        """The stream of events as it is now; it is made where it is missing. Raises Fault UNAVAILABLE."""
        return await stream.look(self.connection)

    async def ensure_stream(self, *, replicas: int = 1) -> None:
        """Make the stream of events where there is none. Raises Fault UNAVAILABLE."""
        await stream.ensure(self.connection, replicas=replicas)

    async def nudge(self, topic: str) -> None:
        """Wake whoever listens now; a nudge may be lost, so whoever waits for one also polls."""
        if self.connection.connected:
            await self.connection.publish(f"nudge.{topic}", b"")

    async def on_nudge(self, topic: str, callback: Callable[[], object]) -> None:
        """`callback` at every nudge, and after every reconnection, when one may have been missed."""

        def nudged(_: Msg) -> None:
            callback()

        await self.connection.subscribe(f"nudge.{topic}", nudged)
        self.connection.on_reconnect(callback)

    async def sweep(self) -> int:
        """Delete the blobs of messages over an hour old: to be run by one process now and then."""
        return await self.bodies.sweep()

    async def drain(self, timeout: float) -> None:
        """Leave every queue group and finish accepted requests; what takes longer than `timeout` seconds is cut off."""
        await asyncio.gather(*(served.stop(timeout) for served in self._served))

    async def close(self) -> None:
        """Ends what `drain` did not, and the connection."""
        await asyncio.gather(*(served.stop(1) for served in self._served))
        for served in self._served:
            metrics.unwatch(served.rpc.name, self.instance)
        await self._tasks.finish()
        await self.connection.close()
