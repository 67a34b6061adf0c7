"""The outbox: a fact and the row that will tell it commit together; one relay per schema publishes the rows.

Owner: the service that states. The rule: nothing is published that is not committed, and what is committed is published
at least once; hearers tell an event's second coming by its id.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import TypeVar

import asyncpg
import msgspec
from msgspec import Struct

from libs.contracts import ids
from libs.contracts.faults import Fault
from libs.contracts.subjects import Event, Stated
from libs.postgres.database import Connection, Database
from libs.postgres.leases import Lease
from libs.postgres.upkeep import upkeep

log = logging.getLogger(__name__)

F = TypeVar("F")

TOPIC = "outbox"
_MESSAGE_EVENTS = 100
_FACT_BYTES = 64 * 1024
_PAGE_EVENTS = 1000
_BEHIND = 2000
_POLL_SECONDS = 1.0
_PAUSE_SECONDS = 0.02  # after an event has left: those committed meanwhile leave together
_LOOK_SECONDS = 10.0
_UPKEEP_SECONDS = 3600.0
_UPKEEP_AGAIN_SECONDS = 60.0
_KEPT = timedelta(days=4)
_STEP = timedelta(hours=1)

_STATE = """
INSERT INTO outbox (id, subject, body)
SELECT id, $1, body FROM unnest($2::uuid[], $3::bytea[]) WITH ORDINALITY AS fact (id, body, place) ORDER BY place
"""
_UNPUBLISHED = """
SELECT n, id, subject, at, body FROM outbox WHERE published_at IS NULL AND n > $1 ORDER BY n LIMIT $2
"""
_AGAIN = "UPDATE outbox SET published_at = NULL WHERE at >= $1 AND at < $2 AND published_at IS NOT NULL"
_SEEN = "SELECT born, sequence FROM outbox_stream"
_SAW = """
INSERT INTO outbox_stream (born, sequence) VALUES ($1, $2)
ON CONFLICT (one) DO UPDATE SET born = excluded.born, sequence = excluded.sequence
"""
# It doesn't wait for the disk: a mark that a crash loses costs a second publication.
_PUBLISHED = """
WITH hasty AS (SELECT set_config('synchronous_commit', 'off', true)), saw AS (
    INSERT INTO outbox_stream (born, sequence) VALUES ($1, $2)
    ON CONFLICT (one) DO UPDATE SET born = excluded.born, sequence = excluded.sequence
)
UPDATE outbox SET published_at = now() FROM hasty
WHERE n = ANY($3::bigint[]) AND at BETWEEN $4 AND $5 AND published_at IS NULL
"""


async def state(connection: Connection, event: Event[F], facts: Sequence[F]) -> None:
    """State facts inside the transaction that makes them true; they leave in this order once it has committed."""
    bodies = [event.pack(fact) for fact in facts]
    if max(map(len, bodies), default=0) > _FACT_BYTES:
        raise ValueError(f"A fact of {event.name} is over {_FACT_BYTES // 1024} KiB: events hold ids and counters.")
    await connection.execute(_STATE, event.name, [ids.new() for _ in bodies], bodies)
    connection.wake_after(TOPIC)


class Stream(Struct, frozen=True):
    """The stream of events as it was seen: when it was made, and its last sequence number."""

    born: str
    sequence: int


class Message(Struct, frozen=True):
    """Rows of one subject that travel together. The id is the same whenever the same rows do."""

    subject: str
    rows: list[asyncpg.Record]

    def id(self, schema: str) -> str:
        return f"{schema}.{self.rows[0]['id'].hex}-{self.rows[-1]['id'].hex}.{len(self.rows)}"

    def batch(self) -> list[Stated]:
        return [Stated(row["id"], row["at"], msgspec.Raw(row["body"])) for row in self.rows]


class Relay:
    """Publishes what a schema's service stated; of all processes that run one, the lease's holder does.

    `publish(subject, batch, message id)` returns the message's sequence number in the stream, and raises a Fault where
    the stream didn't confirm it. `look` tells how the stream is; without it a lost stream shows only by lower numbers.
    `nudge` wakes the relays of other processes.
    """

    def __init__(
        self,
        database: Database,
        lease: Lease,
        publish: Callable[[str, list[Stated], str], Awaitable[int]],
        *,
        nudge: Callable[[], Awaitable[None]] | None = None,
        look: Callable[[], Awaitable[Stream]] | None = None,
    ) -> None:
        self._database, self._lease, self._publish = database, lease, publish
        self._nudge, self._look = nudge, look
        self._seen: Stream | None = None
        self._highest = 0
        self._sweep_due = self._look_due = self._upkeep_due = 0.0
        self._woken = asyncio.Event()
        self._committed = False
        database.on_commit(TOPIC, self._has_committed)

    def wake(self) -> None:
        """Something was committed in another process: what a nudge calls."""
        self._woken.set()

    async def run(self) -> None:
        """Publish for ever. What fails is tried again, in the same order."""
        failing = False
        while True:
            try:
                await self._turn()
                failing = False
            except Fault as fault:
                if not failing:
                    log.warning("Events wait in the outbox: %s", fault.message)
                failing, self._seen, self._sweep_due = True, None, 0.0
                await asyncio.sleep(_POLL_SECONDS)
            await self._rest()

    async def push(self) -> None:
        """Publish all that is committed, where this process holds the lease. Raises the Fault of the first failure."""
        self._sweep_due = 0.0
        await self._push()

    async def _push(self) -> None:
        if self._lease.held:
            await self._see_stream()
        while self._lease.held and await self._push_page():
            pass

    async def _turn(self) -> None:
        self._woken.clear()
        committed, self._committed = self._committed, False
        if self._lease.held:
            await self._push()
            await self._keep_up()
            return
        self._seen = None
        if committed and self._nudge is not None:
            await self._nudge()

    async def _rest(self) -> None:
        await asyncio.sleep(_PAUSE_SECONDS)
        try:
            async with asyncio.timeout(_POLL_SECONDS):
                await self._woken.wait()
        except TimeoutError:
            return

    async def _push_page(self) -> bool:
        """Publish the oldest rows; True where there may be more."""
        rows = await self._database.fetch(_UNPUBLISHED, self._floor(), _PAGE_EVENTS)
        published: list[asyncpg.Record] = []
        sequences: list[int] = []
        try:
            for message in _messages(rows):
                sequences.append(
                    await self._publish(message.subject, message.batch(), message.id(self._database.schema))
                )
                published += message.rows
        finally:
            if published:
                await self._confirm(published, sequences)
        self._highest = rows[-1]["n"] if rows else self._highest
        return len(rows) == _PAGE_EVENTS

    def _floor(self) -> int:
        """Late commits are a little behind; all rows are searched once a second only, for marked ones cost time."""
        if time.monotonic() < self._sweep_due:
            return self._highest - _BEHIND
        self._sweep_due = time.monotonic() + _POLL_SECONDS
        return 0

    async def _confirm(self, rows: list[asyncpg.Record], sequences: list[int]) -> None:
        seen = self._seen or Stream("", 0)
        now = Stream(seen.born, sequences[-1])
        if min(sequences) < seen.sequence:
            await self._publish_again(now)
        else:
            numbers, times = [row["n"] for row in rows], [row["at"] for row in rows]
            await self._database.execute(_PUBLISHED, now.born, now.sequence, numbers, min(times), max(times))
        self._seen = now

    async def _see_stream(self) -> None:
        """Compare the stream with what it was, after every election or failure and now and then."""
        seen = self._seen or await self._recorded()
        if self._look is not None and (self._seen is None or time.monotonic() >= self._look_due):
            self._look_due = time.monotonic() + _LOOK_SECONDS
            now = await self._look()
            if seen.born not in ("", now.born) or now.sequence < seen.sequence:
                await self._publish_again(now)
            elif now != seen:
                await self._database.execute(_SAW, now.born, now.sequence)
            seen = now
        self._seen = seen

    async def _recorded(self) -> Stream:
        row = await self._database.fetchrow(_SEEN)
        return Stream("", 0) if row is None else Stream(row["born"], row["sequence"])

    async def _publish_again(self, now: Stream) -> None:
        """Unmark all that is kept, in steps; the stream's new state is noted last, so that a crash begins again."""
        self._sweep_due = 0.0
        log.warning("The stream of events has lost what it had: everything kept is published again")
        first = datetime.now(UTC) - _KEPT
        while first < datetime.now(UTC) + _STEP:
            await self._database.execute(_AGAIN, first, first + _STEP)
            first += _STEP
        await self._database.execute(_SAW, now.born, now.sequence)

    async def _keep_up(self) -> None:
        if time.monotonic() >= self._upkeep_due:
            done = await upkeep(self._database)
            self._upkeep_due = time.monotonic() + (_UPKEEP_SECONDS if done else _UPKEEP_AGAIN_SECONDS)

    def _has_committed(self) -> None:
        self._committed = True
        self._woken.set()


def _messages(rows: list[asyncpg.Record]) -> Iterator[Message]:
    """Each subject's rows in their order, up to 100 together; messages in the order of their first rows."""
    by_subject: dict[str, list[asyncpg.Record]] = {}
    for row in rows:
        by_subject.setdefault(row["subject"], []).append(row)
    for subject, found in by_subject.items():
        for start in range(0, len(found), _MESSAGE_EVENTS):
            yield Message(subject, found[start : start + _MESSAGE_EVENTS])
