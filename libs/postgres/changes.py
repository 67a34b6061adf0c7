"""Caches that may be believed: an answer counts only while the changes were read less than a second ago.

Owner: the service whose rows it caches. The rule: whoever writes a row says `changed` in the same transaction, and
every process of the service forgets it at its next read: twice a second, after its own commits, and when nudged.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from contextvars import Context
from typing import Any, Generic, TypeVar

from msgspec import Struct

from libs.postgres.database import Connection, Database
from libs.postgres.patience import for_ever

TOPIC = "changes"
FRESH_SECONDS = 1.0
_POLL_SECONDS = 0.5
_PAUSE_SECONDS = 0.01
_KEPT_SECONDS = 12 * 3600.0  # Postgres keeps the rows for a day

# Exactly the changes committed since the snapshot $1, however long their transactions took.
_READ = """
SELECT pg_current_snapshot()::text AS snapshot, kind, key FROM (VALUES (1)) AS always
LEFT JOIN changes ON xid >= pg_snapshot_xmin($1::text::pg_snapshot)
    AND NOT pg_visible_in_snapshot(xid, $1::text::pg_snapshot)
"""

V = TypeVar("V")


async def changed(connection: Connection, kind: str, key: str) -> None:
    """Have every process of the service forget `key` of `kind` once this transaction commits."""
    await connection.execute("INSERT INTO changes (kind, key) VALUES ($1, $2)", kind, key)
    connection.wake_after(TOPIC)


async def all_changed(connection: Connection, kind: str, keys: Sequence[str]) -> None:
    """As `changed`, of many."""
    await connection.execute("INSERT INTO changes (kind, key) SELECT $1, unnest($2::text[])", kind, keys)
    connection.wake_after(TOPIC)


class Changes:
    """Reads what changed, for the caches and watchers of one process. `nudge` wakes the service's other processes."""

    def __init__(self, database: Database, *, nudge: Callable[[], Awaitable[None]] | None = None) -> None:
        self._database = database.pulse
        self._nudge = nudge
        self._caches: dict[str, list[Cache[Any]]] = {}
        self._watchers: dict[str, list[Callable[[str], None]]] = {}
        self._snapshot = ""
        self._read_at = -_KEPT_SECONDS
        self._woken = asyncio.Event()
        self._committed = False
        database.on_commit(TOPIC, self._has_committed)

    @property
    def fresh(self) -> bool:
        return time.monotonic() - self._read_at < FRESH_SECONDS

    def cache(self, kind: str, load: "Callable[[str], Awaitable[V | None]]", *, size: int = 10_000) -> "Cache[V]":
        """A cache of what `load` finds, at most `size` keys, the least recently asked for leaving first."""
        made = Cache[V](self, load, size)
        self._caches.setdefault(kind, []).append(made)
        return made

    def watch(self, kind: str, callback: Callable[[str], None]) -> None:
        """Call `callback` with the key of every change of `kind`. What happens during an outage may come late."""
        self._watchers.setdefault(kind, []).append(callback)

    def wake(self) -> None:
        """Read now: what a nudge calls."""
        self._woken.set()

    async def run(self) -> None:
        """Read for ever. While the database is away nothing is fresh."""
        await for_ever(self._turn, self._rest, waits="Changes can't be read")

    async def _turn(self) -> None:
        self._woken.clear()
        committed, self._committed = self._committed, False
        await self.read()
        if committed and self._nudge is not None:
            await self._nudge()

    async def _rest(self) -> None:
        await asyncio.sleep(_PAUSE_SECONDS)
        try:
            async with asyncio.timeout(_POLL_SECONDS - _PAUSE_SECONDS):
                await self._woken.wait()
        except TimeoutError:
            return

    async def read(self) -> None:
        """Forget what changed since the last read. Raises Fault UNAVAILABLE."""
        asked = time.monotonic()
        if self._snapshot == "" or asked - self._read_at > _KEPT_SECONDS:
            snapshot = await self._database.fetchval("SELECT pg_current_snapshot()::text")
            self._forget_all()
        else:
            rows = await self._database.fetch(_READ, self._snapshot)
            snapshot = rows[0]["snapshot"]
            if _xmin(snapshot) < _xmin(self._snapshot):
                self._forget_all()  # another server, or this one as it was earlier
            for row in rows:
                self._forget(row["kind"], row["key"])
        self._snapshot, self._read_at = snapshot, asked

    def _forget(self, kind: str, key: str) -> None:
        for cache in self._caches.get(kind, []):
            cache.forget(key)
        for watcher in self._watchers.get(kind, []):
            watcher(key)

    def _forget_all(self) -> None:
        for caches in self._caches.values():
            for cache in caches:
                cache.clear()

    def _has_committed(self) -> None:
        self._committed = True
        self._woken.set()


def _xmin(snapshot: str) -> int:
    """A snapshot reads xmin:xmax:running."""
    return int(snapshot.partition(":")[0])


class _Load(Struct, Generic[V], eq=False):
    task: "asyncio.Task[V | None]"
    began: float


class Cache(Generic[V]):
    """Made by `Changes.cache`. What is not there is remembered too."""

    def __init__(self, changes: Changes, load: Callable[[str], Awaitable[V | None]], size: int) -> None:
        self._changes, self._load, self._size = changes, load, size
        self._found: dict[str, V | None] = {}
        self._loading: dict[str, _Load[V]] = {}

    async def get(self, key: str) -> V | None:
        """The remembered answer while it counts, else what `load` finds; callers at once share one load.

        Raises what `load` raises: Fault UNAVAILABLE without a database.
        """
        if self._changes.fresh and key in self._found:
            answer = self._found[key] = self._found.pop(key)
            return answer
        loading = self._loading.get(key)
        if loading is None or time.monotonic() - loading.began > FRESH_SECONDS:
            loading = self._begin(key)
        return await asyncio.shield(loading.task)

    def forget(self, key: str) -> None:
        """Also what is being loaded is not remembered: it may have been read before the change."""
        self._found.pop(key, None)
        self._loading.pop(key, None)

    def clear(self) -> None:
        self._found.clear()
        self._loading.clear()

    def _begin(self, key: str) -> _Load[V]:
        """The load belongs to no caller: it outlives one that is cancelled, and has none's deadline."""
        task = asyncio.get_running_loop().create_task(self._look_up(key), context=Context())
        loading = self._loading[key] = _Load(task, time.monotonic())
        task.add_done_callback(lambda _: self._end(key, loading))
        return loading

    async def _look_up(self, key: str) -> V | None:
        return await self._load(key)

    def _end(self, key: str, loading: _Load[V]) -> None:
        failed = loading.task.cancelled() or loading.task.exception() is not None
        if self._loading.get(key) is not loading:
            return
        del self._loading[key]
        if not failed:
            self._found[key] = loading.task.result()
            while len(self._found) > self._size:
                del self._found[next(iter(self._found))]
