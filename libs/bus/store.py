"""What hearing keeps in the service's schema: ids of events reacted to, those to be tried again, those given up.

The tables are libs.postgres's, alike in every schema.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from msgspec import Struct

from libs.postgres.database import Connection
from libs.postgres.text import clean

_LONGEST_REASON = 2000

_SEE = """
INSERT INTO events_seen (id) SELECT id FROM unnest($1::uuid[]) AS heard (id) ORDER BY id
ON CONFLICT DO NOTHING RETURNING id
"""
_DEFER = """
INSERT INTO event_retries AS kept (id, subject, at, body, tries, reason, due_at)
VALUES ($1, $2, $3, $4, $5, $6, now() + $7)
ON CONFLICT (id) DO UPDATE SET tries = excluded.tries, reason = excluded.reason, due_at = excluded.due_at
WHERE kept.tries < excluded.tries
"""
_DUE = """
SELECT id, subject, at, body, tries FROM event_retries
WHERE due_at <= now() AND (subject = ANY($1) OR at < now() - $2::interval)
ORDER BY due_at LIMIT 1 FOR UPDATE SKIP LOCKED
"""
_DONE = "DELETE FROM event_retries WHERE id = $1"
_BURY = """
INSERT INTO dead_letters (id, subject, at, body, tries, reason) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (id) DO NOTHING
"""


class Letter(Struct, frozen=True):
    """An event as it came: what is kept of one that failed. `tries` counts the failures."""

    id: UUID
    subject: str
    at: datetime
    body: bytes
    tries: int = 0


async def see(connection: Connection, ids: Sequence[UUID]) -> set[UUID]:
    """Note events as heard; those that were not before."""
    return {row["id"] for row in await connection.fetch(_SEE, ids)}


async def defer(connection: Connection, letter: Letter, reason: str, delay: timedelta) -> None:
    """Keep an event that failed for another try. One that failed as often before stays as it is."""
    await connection.execute(
        _DEFER, letter.id, letter.subject, letter.at, letter.body, letter.tries, _short(reason), delay
    )


async def due(connection: Connection, subjects: Sequence[str], orphaned: timedelta) -> Letter | None:
    """An event to try now, of one of `subjects` or so old that nobody will react to it. Locked until the commit."""
    row = await connection.fetchrow(_DUE, subjects, orphaned)
    return None if row is None else Letter(**row)


async def done(connection: Connection, id: UUID) -> None:
    """No further try."""
    await connection.execute(_DONE, id)


async def bury(connection: Connection, letter: Letter, reason: str) -> None:
    """Give an event up, for a person to look at."""
    await connection.execute(_BURY, letter.id, letter.subject, letter.at, letter.body, letter.tries, _short(reason))
    await see(connection, [letter.id])
    await done(connection, letter.id)


def _short(reason: str) -> str:
    return clean(reason[:_LONGEST_REASON])
