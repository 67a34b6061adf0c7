"""Dead letters in a person's hands: to look at, to try again, to throw away.

Owner: the service in whose schema they lie. The rule: what is asked of several letters is done to all or to none.
"""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from msgspec import Struct

from libs.contracts.faults import Code, Fault
from libs.postgres.database import Connection

_LATEST = """
SELECT id, subject, at, body, tries, reason, died_at FROM dead_letters ORDER BY died_at DESC, id DESC LIMIT $1
"""
_COUNT = "SELECT count(*) FROM dead_letters"
_PUT_BACK = """
WITH alive AS (DELETE FROM dead_letters WHERE $1::uuid[] IS NULL OR id = ANY($1) RETURNING *)
INSERT INTO event_retries AS kept (id, subject, at, body, tries, reason, due_at)
SELECT id, subject, at, body, 0, reason, now() FROM alive
ON CONFLICT (id) DO UPDATE SET tries = 0, due_at = now()
RETURNING id
"""
_FORGET = "DELETE FROM events_seen WHERE id = ANY($1)"
_DROP = "DELETE FROM dead_letters WHERE $1::uuid[] IS NULL OR id = ANY($1) RETURNING id"


class DeadLetter(Struct, frozen=True):
    """An event that was given up: stated `at`, and why and when its last try failed."""

    id: UUID
    subject: str
    at: datetime
    body: bytes
    tries: int
    reason: str
    died_at: datetime


async def latest(connection: Connection, limit: int) -> list[DeadLetter]:
    """Those that died last come first."""
    return [DeadLetter(**row) for row in await connection.fetch(_LATEST, limit)]


async def count(connection: Connection) -> int:
    return await connection.fetchval(_COUNT)


async def retry(connection: Connection, ids: Sequence[UUID] | None) -> list[UUID]:
    """Make events (None: all) due now as if never tried. Inside a transaction; raises Fault NOT_FOUND."""
    found = [row["id"] for row in await connection.fetch(_PUT_BACK, ids)]
    _must_be_all(ids, found)
    # Heard, as they are now, they would be passed over as done.
    await connection.execute(_FORGET, found)
    return found


async def drop(connection: Connection, ids: Sequence[UUID] | None) -> list[UUID]:
    """Throw events (None: all) away for good. Inside a transaction; raises Fault NOT_FOUND."""
    found = [row["id"] for row in await connection.fetch(_DROP, ids)]
    _must_be_all(ids, found)
    return found


def _must_be_all(asked: Sequence[UUID] | None, found: Sequence[UUID]) -> None:
    missing = [str(id) for id in dict.fromkeys(asked or ()) if id not in found]
    if missing:
        raise Fault(Code.NOT_FOUND, f"No dead letter has the id {', '.join(missing)}: nothing was changed.", field="id")
