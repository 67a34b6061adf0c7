"""Erasures: what is to be gone from a service's tables for good, carried out in batches, and again for what comes late.

Owner: the service in whose schema they are; it says how a batch of each kind is erased. The rule: an erasure commits
with what asks for it, and is through only when, long after, nothing of it is found any more.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from uuid import UUID

import asyncpg
from msgspec import Struct

from libs.contracts.faults import Fault
from libs.postgres.database import Connection, Database

log = logging.getLogger(__name__)

TOPIC = "erasures"

# Seconds until what was written meanwhile, by a run that went on or an event that came later, is erased as well.
_AGAIN = (60.0, 3600.0)
_POLL_SECONDS = 5.0
_FAILED_SECONDS = 30.0

_ASK = """
INSERT INTO erasures (workspace_id, kind, ids)
SELECT workspace_id, $1, ids FROM jsonb_to_recordset($2) AS gone (workspace_id uuid, ids uuid[])
"""
_EXPIRE = """
INSERT INTO erasures AS known (workspace_id, kind, ids, before)
SELECT workspace_id, 'expired', '{}', max(before)
FROM jsonb_to_recordset($1) AS expired (workspace_id uuid, before timestamptz) GROUP BY workspace_id
ON CONFLICT (workspace_id) WHERE kind = 'expired'
DO UPDATE SET before = greatest(known.before, excluded.before), due_at = least(known.due_at, now())
"""
_DUE = """
SELECT id, workspace_id, kind, ids, before, passes FROM erasures
WHERE due_at <= now() AND kind = ANY($1) ORDER BY due_at LIMIT 1 FOR UPDATE SKIP LOCKED
"""
_LATER = """
UPDATE erasures SET passes = passes + $2, due_at = clock_timestamp() + $3 * interval '1 second' WHERE id = $1
"""
_THROUGH = "DELETE FROM erasures WHERE id = $1"


class Kind(StrEnum):
    """What `ids` are of; a workspace and what has expired in one need none."""

    RUNS = "runs"
    SESSIONS = "sessions"
    DOCUMENTS = "documents"
    CONTACTS = "contacts"
    EXPIRED = "expired"
    WORKSPACE = "workspace"


class Erasure(Struct, frozen=True):
    id: int
    workspace_id: UUID
    kind: str
    ids: list[UUID]
    before: datetime | None
    passes: int


class Gone(Struct, frozen=True):
    """Some of a workspace's, or the workspace itself."""

    workspace_id: UUID
    ids: Sequence[UUID] = ()


class Expired(Struct, frozen=True):
    workspace_id: UUID
    before: datetime


# One batch, in the transaction of the connection; whether there may be more.
Step = Callable[[Connection, Erasure], Awaitable[bool]]


async def ask(connection: Connection, kind: Kind, gone: Sequence[Gone]) -> None:
    await connection.execute(_ASK, kind, gone)
    connection.wake_after(TOPIC)


async def expire(connection: Connection, expired: Sequence[Expired]) -> None:
    """All of a workspace's that is older. Asked for again, it is one erasure still."""
    await connection.execute(_EXPIRE, expired)
    connection.wake_after(TOPIC)


class Erasures:
    """Those of one schema. All processes of the service take part."""

    def __init__(self, database: Database, steps: Mapping[Kind, Step]) -> None:
        self._database, self._steps = database, steps
        self._woken = asyncio.Event()
        database.on_commit(TOPIC, self._woken.set)

    async def run(self) -> None:
        """For ever. A step that fails is left for later, and keeps no other from its turn."""
        while True:
            self._woken.clear()
            while await self.step():
                pass
            try:
                async with asyncio.timeout(_POLL_SECONDS):
                    await self._woken.wait()
            except TimeoutError:
                continue

    async def step(self) -> bool:
        """A batch of the erasure that has waited longest; False where none is due. Raises Fault UNAVAILABLE."""
        async with self._database.transaction() as connection:
            row = await connection.fetchrow(_DUE, list(self._steps))
            if row is None:
                return False
            erasure = Erasure(**row)
            more = await self._tried(connection, erasure)
            await _note(connection, erasure, more)
        return True

    async def _tried(self, connection: Connection, erasure: Erasure) -> bool | None:
        """Whether there may be more; None where it failed."""
        try:
            async with connection.transaction():
                return await self._steps[Kind(erasure.kind)](connection, erasure)
        except (asyncpg.PostgresError, Fault) as error:
            log.warning("An erasure is tried again later", extra={"kind": erasure.kind, "error": str(error)})
            return None


async def _note(connection: Connection, erasure: Erasure, more: bool | None) -> None:
    again = () if erasure.kind == Kind.EXPIRED else _AGAIN
    if more is None:
        await connection.execute(_LATER, erasure.id, 0, _FAILED_SECONDS)
    elif more:
        await connection.execute(_LATER, erasure.id, 0, 0.0)
    elif erasure.passes < len(again):
        await connection.execute(_LATER, erasure.id, 1, again[erasure.passes])
    else:
        await connection.execute(_THROUGH, erasure.id)
