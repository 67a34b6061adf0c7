"""Serving one Rpc: a bounded number of requests at once, each in a task of its own that this module drains.

What a handler raises reaches the caller as a Fault: its own as it is, anything else is logged once here, with the ids
of the request, and reads INTERNAL there.
"""

import asyncio
import contextvars
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Generic, TypeVar

import msgspec
from nats.aio.msg import Msg

from libs.bus import deadline, metrics
from libs.bus.bodies import Bodies
from libs.bus.connection import Connection, Headers, Lost
from libs.bus.subscription import Subscription
from libs.contracts.faults import OURS, Code, Fault
from libs.contracts.subjects import Rpc
from libs.runtime import logs
from libs.runtime.tasks import Tasks

log = logging.getLogger(__name__)

Request = TypeVar("Request")
Reply = TypeVar("Reply")

TIMEOUT = "Pv-Timeout"
REQUEST = "Pv-Request"
FAULT = "Pv-Fault"

# The line is full with so many waiting, or while the first in it has waited so long.
_WAITING_PER_SLOT = 16
_PATIENCE = 2.0
_TIMEOUT_UNSAID = 10.0
_LONGEST_MESSAGE = 4096
_encoder = msgspec.msgpack.Encoder()


class Served(Generic[Request, Reply]):
    """One subject being served; made by `Bus.serve`."""

    def __init__(
        self,
        connection: Connection,
        bodies: Bodies,
        rpc: Rpc[Request, Reply],
        handler: Callable[[Request], Awaitable[Reply]],
        *,
        subject: str,
        queue: str,
        slots: int,
    ) -> None:
        self._connection, self._bodies = connection, bodies
        self.rpc, self._handler = rpc, handler
        self._subject, self._queue, self._slots = subject, queue, slots
        self._tasks: set[asyncio.Task[None]] = set()
        self._refusals = Tasks()
        self._waiting: deque[tuple[Msg, float, float]] = deque()
        self._subscription: Subscription | None = None
        self._turn = asyncio.Lock()
        self._stopped = False

    async def resume(self) -> None:
        """Take requests (again): live when this returns."""
        async with self._turn:
            if self._subscription is None and not self._stopped:
                self._subscription = await self._connection.subscribe(self._subject, self._accept, queue=self._queue)
                await self._connection.settled()

    async def pause(self) -> None:
        """Leave the queue group: others get what comes now; what was accepted is handled all the same."""
        async with self._turn:
            subscription, self._subscription = self._subscription, None
            if subscription is not None:
                await subscription.leave()

    async def stop(self, timeout: float | None = None) -> None:
        """Leave for good and finish accepted work; what is not done after `timeout` seconds is answered UNAVAILABLE."""
        self._stopped = True
        try:
            async with asyncio.timeout(timeout):
                await self.pause()
                await self._finish()
        except TimeoutError:
            log.warning("Requests were cut off", extra={"subject": self._subject, "requests": self.busy})
            await self._cut_off()

    @property
    def busy(self) -> int:
        return len(self._tasks)

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    async def _finish(self) -> None:
        while self._tasks:
            await asyncio.wait(self._tasks)
            # Their callbacks, which begin what waits, run next.
            await asyncio.sleep(0)
        await self._refusals.finish()

    async def _cut_off(self) -> None:
        waiting = [message for message, *_ in self._waiting]
        self._waiting.clear()
        for task in self._tasks:
            task.cancel()
        await self._finish()
        for message in waiting:
            await self._send(message, *_failed(_CUT_OFF))

    def _accept(self, message: Msg) -> None:
        now = asyncio.get_running_loop().time()
        until = now + _timeout_of(message)
        if len(self._tasks) < self._slots:
            self._begin(self._handle(message, until))
        elif self._takes_more(now):
            self._waiting.append((message, until, now))
        else:
            metrics.REFUSED.labels(self._subject).inc()
            self._refusals.start(self._send(message, *_failed(_BUSY)))

    def _takes_more(self, now: float) -> bool:
        """Whoever would only wait for a time-out is better told at once."""
        if not self._waiting:
            return True
        *_, since = self._waiting[0]
        return len(self._waiting) < self._slots * _WAITING_PER_SLOT and now - since < _PATIENCE

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        # A context of its own: nothing of the connection's or of the request before it.
        task = asyncio.get_running_loop().create_task(work, context=contextvars.Context())
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("An answer was lost", extra={"subject": self._subject}, exc_info=error)
        now = asyncio.get_running_loop().time()
        while self._waiting:
            message, until, _ = self._waiting.popleft()
            if until > now:
                self._begin(self._handle(message, until))
                return
            metrics.EXPIRED.labels(self._subject).inc()

    async def _handle(self, message: Msg, until: float) -> None:
        limit = deadline.Deadline(until)
        deadline.current.set(limit)
        if message.headers is not None:
            logs.request_id.set(message.headers.get(REQUEST, ""))
        body, headers = await self._outcome(message)
        limit.lift()
        await self._send(message, body, headers)

    async def _outcome(self, message: Msg) -> tuple[bytes, Headers]:
        """The answer's body and headers, whatever happens."""
        try:
            request = await self._request(message)
            _bind(request)
            return await self._bodies.fitted(self.rpc.pack_reply(await self._handler(request)))
        except Fault as fault:
            return _failed(fault)
        except asyncio.CancelledError:
            # By stop(), or because something that the handler waited for was cancelled: the caller hears of either.
            log.warning("A request was cut off", extra={"subject": self._subject})
            return _failed(_CUT_OFF)
        except Exception:
            log.exception("A handler failed", extra={"subject": self._subject})
            return _failed(_INTERNAL)

    async def _request(self, message: Msg) -> Request:
        body = await self._bodies.read(message)
        try:
            return self.rpc.unpack(body)
        except msgspec.DecodeError as error:
            raise Fault(Code.MALFORMED, f"{self._subject} can't read this request: {error}") from error

    async def _send(self, message: Msg, body: bytes, headers: Headers) -> None:
        try:
            await self._connection.publish(message.reply, body, headers=headers)
        except Lost:
            log.warning("NATS went before a request was answered", extra={"subject": self._subject})


_BUSY = Fault(Code.UNAVAILABLE, "Too many requests are waiting; try again.", retry_after=1)
_CUT_OFF = Fault(Code.UNAVAILABLE, "The service stopped before it was done; try again.", retry_after=1)
_INTERNAL = Fault(Code.INTERNAL, OURS)


def _bind(request: object) -> None:
    """What this task logs carries the ids of its request."""
    for name, variable in (("workspace_id", logs.workspace_id), ("run_id", logs.run_id)):
        if (id := getattr(request, name, None)) is not None:
            variable.set(str(id))


def _failed(fault: Fault) -> tuple[bytes, Headers]:
    failure = msgspec.structs.replace(fault.failure(), message=fault.message[:_LONGEST_MESSAGE])
    return _encoder.encode(failure), {FAULT: fault.code}


def _timeout_of(message: Msg) -> float:
    """The seconds its caller still waits."""
    sent = message.headers.get(TIMEOUT, "") if message.headers else ""
    return int(sent) / 1000 if sent.isdecimal() else _TIMEOUT_UNSAID
