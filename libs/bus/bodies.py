"""Message bodies: what is over 256 KiB travels as a blob, its key in the header Pv-Blob.

The blob of a question or an answer is deleted by whoever read it, the one of a frame has several readers: what is left
under `bus/` is swept by age.
"""

from collections import deque
from collections.abc import Callable
from datetime import timedelta

from nats.aio.msg import Msg

from libs.blobs import Blobs
from libs.bus.connection import Headers
from libs.contracts import ids
from libs.contracts.faults import Fault
from libs.runtime.tasks import Tasks

LARGEST = 256 * 1024
BLOB = "Pv-Blob"

_PREFIX = "bus/"
_KEPT = timedelta(hours=1)
_MOST_BEHIND = 256


class Bodies:
    def __init__(self, blobs: Blobs, tasks: Tasks) -> None:
        self._blobs, self._tasks = blobs, tasks

    async def fitted(self, body: bytes, headers: Headers = None) -> tuple[bytes, Headers]:
        """What to send for `body`: itself, or nothing but the key of the blob that now holds it."""
        if len(body) <= LARGEST:
            return body, headers
        key = f"{_PREFIX}{ids.new()}"
        await self._blobs.put(key, body)
        return b"", {**(headers or {}), BLOB: key}

    async def read(self, message: Msg, *, shared: bool = False) -> bytes:
        """The body, from the message or its blob; `shared`: others read it too."""
        key = message.headers.get(BLOB) if message.headers else None
        if key is None:
            return message.data
        if not key.startswith(_PREFIX):
            raise ValueError(f"{key!r} is no blob of the bus")
        body = await self._blobs.get(key)
        if not shared:
            self.discard(key)
        return body

    def discard(self, key: str) -> None:
        self._tasks.start(self._delete(key))

    def in_turn(self, tell: Callable[[bytes], None], miss: Callable[[], None]) -> "InTurn":
        return InTurn(self, self._tasks, tell, miss)

    async def sweep(self) -> int:
        """Delete what nobody can be waiting for any more."""
        return await self._blobs.sweep(_PREFIX.rstrip("/"), _KEPT)

    async def _delete(self, key: str) -> None:
        try:
            await self._blobs.delete(key)
        except Fault:
            # The store has logged why; the sweep takes what is left.
            return


class InTurn:
    """A hearer of messages that others read too: `tell` gets their bodies in the order in which they came, though the
    large ones are fetched; `miss` is called for one that can't be had.
    """

    def __init__(self, bodies: Bodies, tasks: Tasks, tell: Callable[[bytes], None], miss: Callable[[], None]) -> None:
        self._bodies, self._tasks = bodies, tasks
        self._tell, self._miss = tell, miss
        self._behind: deque[Msg] = deque()
        self._fetching = False

    def hear(self, message: Msg) -> None:
        if message.headers is None and not self._fetching:
            self._tell(message.data)
        elif len(self._behind) < _MOST_BEHIND:
            self._behind.append(message)
            if not self._fetching:
                self._fetching = True
                self._tasks.start(self._fetch())
        else:
            self._miss()

    async def _fetch(self) -> None:
        """A large one, and after it those that came meanwhile."""
        try:
            while self._behind:
                try:
                    body = await self._bodies.read(self._behind.popleft(), shared=True)
                except Fault:
                    self._miss()
                else:
                    self._tell(body)
        finally:
            self._fetching = False
