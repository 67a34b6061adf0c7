"""Claims for endpoints that want their deliveries in order: of each the first in the queue, and only while none is out.

The rule holds for all processes together: who claims for an endpoint has its row, and looks again once it has.
"""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from msgspec import Struct

from libs.postgres.database import Database
from services.webhook_dispatcher.store.claims import SETTLE_SECONDS, Claimed, whole
from services.webhook_dispatcher.store.queue import by_index

# The first delivery of an endpoint, whatever its state: the others are behind it.
_FIRST = """
    SELECT delivery_id, workspace_id, attempts, event_id, event, due_at, claimed_until FROM queue
    WHERE ordered AND endpoint_id = {endpoint}
    ORDER BY endpoint_id, event_id, delivery_id LIMIT 1
"""
# While an older event of its workspace is still being fanned out, there may be one in front of it.
_DUE = """
    claimed_until IS NULL AND due_at <= now() AND NOT EXISTS (
        SELECT FROM fan_outs WHERE fan_outs.workspace_id = first.workspace_id
            AND fan_outs.reached < {endpoint} AND fan_outs.event_id < first.event_id)
"""
_FIND = f"""
    WITH RECURSIVE step AS (
        (SELECT endpoint_id, 1 AS place FROM queue WHERE ordered AND endpoint_id > $1
         ORDER BY endpoint_id, event_id, delivery_id LIMIT 1)
        UNION ALL
        SELECT next.endpoint_id, place + 1 FROM step CROSS JOIN LATERAL (
            SELECT endpoint_id FROM queue WHERE ordered AND queue.endpoint_id > step.endpoint_id
            ORDER BY endpoint_id, event_id, delivery_id LIMIT 1
        ) AS next WHERE place < $2
    ), due AS (
        SELECT endpoint_id, attempts = 0 AS new, due_at
        FROM step CROSS JOIN LATERAL ({_FIRST.format(endpoint="step.endpoint_id")}) AS first
        WHERE {_DUE.format(endpoint="endpoint_id")}
    )
    SELECT due.*, (SELECT max(endpoint_id::text)::uuid FROM step HAVING max(place) >= $2) AS reached
    FROM (VALUES (1)) AS one LEFT JOIN due ON true
"""
_HOLD = "SELECT id FROM endpoints WHERE id = ANY($1) FOR NO KEY UPDATE SKIP LOCKED"
_CLAIM = f"""
    WITH open AS (
        SELECT endpoint_id FROM queue WHERE claimed_until IS NOT NULL AND ordered
    ), chosen AS (
        SELECT first.*, endpoint_id FROM unnest($1::uuid[]) AS held (endpoint_id)
            CROSS JOIN LATERAL ({_FIRST.format(endpoint="held.endpoint_id")}) AS first
        WHERE {_DUE.format(endpoint="endpoint_id")} AND (attempts > 0 OR due_at <= $2)
          AND endpoint_id NOT IN (SELECT endpoint_id FROM open)
    ), claimed AS (
        UPDATE queue SET claimed_until = now() + make_interval(secs => $3)
        WHERE delivery_id = ANY (ARRAY(SELECT delivery_id FROM chosen))
    )
    SELECT delivery_id, attempts + 1, event_id, event, workspace_id, endpoint_id FROM chosen
"""


class Waiting(Struct, frozen=True):
    """An endpoint whose first delivery is due; `new` where it was never attempted."""

    endpoint_id: UUID
    new: bool
    due_at: datetime


class Found(Struct, frozen=True):
    """`reached`: as far as was looked, where there may be endpoints behind."""

    waiting: list[Waiting]
    reached: UUID | None


async def find(database: Database, *, after: UUID, most: int) -> Found:
    """Among the next so many endpoints for which something is queued."""
    async with database.transaction() as connection:
        await by_index(connection)
        rows = await connection.fetch(_FIND, after, most)
    waiting = [Waiting(id, new, due_at) for id, new, due_at, _ in rows if id is not None]
    return Found(waiting, rows[0]["reached"])


async def claim(database: Database, endpoints: Sequence[UUID], *, until: datetime, seconds: float) -> list[Claimed]:
    """The first delivery of each, as far as nobody else is at it; a new one if it was queued by then."""
    async with database.transaction() as connection:
        await by_index(connection)
        held = [row["id"] for row in await connection.fetch(_HOLD, endpoints)]
        found = await connection.fetch(_CLAIM, held, until, seconds + SETTLE_SECONDS)
        return await whole(connection, found, slow=False, ordered=True) if found else []
