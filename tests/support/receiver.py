"""A webhook receiver: records every delivery as it came, and answers as it is told.

async with receiver() as r:
    r.answer(503, headers={"Retry-After": "7"}, times=1)   # the next one; then 200 again
    ...
    delivery, = await r.wait(1)
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

from aiohttp import web


@dataclass(frozen=True)
class Answer:
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    delay: float = 0.0
    body: bytes = b""
    gate: asyncio.Event | None = None


@dataclass(frozen=True)
class Received:
    """`headers` are found whatever the case of their names. `answer` is how it was answered, if its sender waited."""

    path: str
    headers: Mapping[str, str]
    body: bytes
    at: datetime
    answer: Answer = Answer()


@dataclass
class Receiver:
    """`most_at_once` is how many deliveries it ever had open together; `by_path` decides on those to some paths."""

    url: str = ""
    by_path: dict[str, Callable[[Mapping[str, str]], Answer]] = field(default_factory=dict)
    received: list[Received] = field(default_factory=list)
    most_at_once: int = 0
    _open: int = 0
    _standing: Answer = Answer()
    _next: deque[Answer] = field(default_factory=deque)
    _changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    def answer(
        self,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
        delay: float = 0.0,
        body: bytes = b"",
        *,
        gate: asyncio.Event | None = None,
        times: int | None = None,
    ) -> None:
        """From now on, or for the next `times` deliveries. `delay` is in seconds, before the answer begins; for `gate`
        it waits as well.
        """
        answer = Answer(status, headers or {}, delay, body, gate)
        if times is None:
            self._standing = answer
            self._next.clear()
        else:
            self._next.extend([answer] * times)

    async def wait(self, count: int, *, timeout: float = 60.0) -> list[Received]:
        """What was received, once it is at least `count`."""
        async with asyncio.timeout(timeout), self._changed:
            await self._changed.wait_for(lambda: len(self.received) >= count)
        return list(self.received)

    async def receive(self, request: web.Request) -> web.Response:
        body = await request.read()
        answer = self._answer(request)
        self._open += 1
        self.most_at_once = max(self.most_at_once, self._open)
        try:
            await self._record(Received(request.path_qs, request.headers.copy(), body, datetime.now(UTC), answer))
            await asyncio.sleep(answer.delay)
            if answer.gate is not None:
                await answer.gate.wait()
        finally:
            self._open -= 1
        return web.Response(status=answer.status, headers=answer.headers, body=answer.body)

    def _answer(self, request: web.Request) -> Answer:
        if decides := self.by_path.get(request.path):
            return decides(request.headers)
        return self._next.popleft() if self._next else self._standing

    async def _record(self, received: Received) -> None:
        async with self._changed:
            self.received.append(received)
            self._changed.notify_all()


@asynccontextmanager
async def receiver() -> AsyncIterator[Receiver]:
    """Listens on a free loopback port: `url` is plain http."""
    self = Receiver()
    app = web.Application(client_max_size=16 * 1024 * 1024)
    app.router.add_route("*", "/{path:.*}", self.receive)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
        yield self
    finally:
        await runner.cleanup()
