"""Message bodies: what is over 256 KiB travels as a blob, its key in the header Pv-Blob.

The blob of a question or an answer is deleted by whoever read it, the one of a frame has several readers: what is left
under `bus/` is swept by age.
"""

from datetime import timedelta

from nats.aio.msg import Msg

from libs.blobs import Blobs
from libs.bus.connection import Headers
from libs.bus.tasks import Tasks
from libs.contracts import ids
from libs.contracts.faults import Fault

LARGEST = 256 * 1024
BLOB = "Pv-Blob"

_PREFIX = "bus/"
_KEPT = timedelta(hours=1)


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

    async def sweep(self) -> int:
        """Delete what nobody can be waiting for any more."""
        return await self._blobs.sweep(_PREFIX.rstrip("/"), _KEPT)

    async def _delete(self, key: str) -> None:
        try:
            await self._blobs.delete(key)
        except Fault:
            # The store has logged why; the sweep takes what is left.
            return
