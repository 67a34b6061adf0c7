"""The access log: one line per request, in the shape of all other lines.

Written together a few times a second: a system call for every line would cost more than the request's own work.
"""

import asyncio
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TextIO
from uuid import UUID

import msgspec
from msgspec import Struct

_PAUSE_SECONDS = 0.2
_MOST_WAITING = 1000

_encode = msgspec.json.Encoder().encode


class Line(Struct, frozen=True, kw_only=True):
    """`route` is the route, not the path: an address may be a capability. `ms` is the time to the answer's end."""

    ts: datetime
    level: str = "info"
    service: str
    instance: str
    logger: str = "gateway.access"
    message: str = "request"
    request_id: str
    workspace_id: UUID | None
    method: str
    route: str
    status: int
    ms: float


class AccessLog:
    """`on` is False where the level of the log leaves such lines out."""

    def __init__(
        self, service: str, instance: str, *, on: bool = True, stream: Callable[[], TextIO] | None = None
    ) -> None:
        self.on = on
        self._service, self._instance = service, instance
        self._stream = stream or (lambda: sys.stderr)
        self._waiting: list[bytes] = []

    def note(
        self, *, request_id: str, workspace_id: UUID | None, method: str, route: str, status: int, ms: float
    ) -> None:
        line = Line(
            ts=datetime.now(UTC),
            service=self._service,
            instance=self._instance,
            request_id=request_id,
            workspace_id=workspace_id,
            method=method,
            route=route,
            status=status,
            ms=ms,
        )
        self._waiting.append(_encode(line))
        if len(self._waiting) >= _MOST_WAITING:
            self.write()

    def write(self) -> None:
        if self._waiting:
            lines, self._waiting = self._waiting, []
            stream = self._stream()
            stream.write(b"\n".join([*lines, b""]).decode())
            stream.flush()

    async def run(self) -> None:
        """Writes what waits, until it is cancelled."""
        try:
            while True:
                await asyncio.sleep(_PAUSE_SECONDS)
                self.write()
        finally:
            self.write()
