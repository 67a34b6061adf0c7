"""Fan-outs in Postgres: an event on its way into the queue, for its workspace's endpoints in the order of their ids.

So many at a time: what is left of it is a row that commits with them, and is gone on with later. A delivery has one id,
so nothing is added twice.
"""

from collections.abc import Sequence
from uuid import UUID

from msgspec import Struct

from libs.contracts import public_events
from libs.postgres.database import Connection
from services.webhook_dispatcher.payloads import Message
from services.webhook_dispatcher.store.queue import by_index

# Endpoints looked at in one transaction, shared among its events, and the fan-outs that it goes on with.
_LOOKS = 1000
_TURNS = 20

_FAN_OUT = """
    WITH message AS (
        SELECT * FROM unnest($2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::text[], $7::timestamptz[], $8::uuid[],
                             $9::bytea[], $10::uuid[])
            AS message (workspace_id, event_id, event, patterns, twins, at, reached, body, about)
    ), near AS (
        SELECT message.*, endpoint.*, row_number() OVER (PARTITION BY event_id, event ORDER BY endpoint_id) AS place
        FROM message CROSS JOIN LATERAL (
            SELECT id AS endpoint_id, events FROM endpoints
            WHERE workspace_id = message.workspace_id AND id > reached ORDER BY id LIMIT $1::int + 1
        ) AS endpoint
    ), wanted AS (
        SELECT delivery_id(event_id, endpoint_id) AS id, endpoint_id, near.workspace_id, event_id, event, at, body,
               about, status, failing_since IS NOT NULL AS slow, ordered
        FROM near JOIN endpoints ON endpoints.id = endpoint_id
        WHERE place <= $1 AND status IN ('active', 'listening')
          AND near.events && string_to_array(patterns, ' ') AND NOT near.events && string_to_array(twins, ' ')
        FOR KEY SHARE OF endpoints
    ), remaining AS (
        SELECT * FROM near AS last WHERE place = $1 AND EXISTS (
            SELECT FROM near WHERE near.event_id = last.event_id AND near.event = last.event AND near.place > $1)
    ), payload AS (
        INSERT INTO payloads (event_id, event, body, about)
        SELECT DISTINCT ON (event_id, event) * FROM (
            SELECT event_id, event, body, about FROM wanted UNION ALL SELECT event_id, event, body, about FROM remaining
        ) AS told WHERE body IS NOT NULL
        ON CONFLICT DO NOTHING
    ), added AS (
        INSERT INTO deliveries (id, workspace_id, endpoint_id, event_id, event, created_at)
        SELECT id, workspace_id, endpoint_id, event_id, event, at FROM wanted
        ON CONFLICT DO NOTHING RETURNING id
    ), queued AS (
        INSERT INTO queue (delivery_id, workspace_id, endpoint_id, event_id, event, slow, ordered)
        SELECT id, workspace_id, endpoint_id, event_id, event, slow, ordered FROM wanted JOIN added USING (id)
        WHERE status = 'active'
        RETURNING delivery_id
    ), kept AS (
        INSERT INTO fan_outs (workspace_id, event_id, event, patterns, twins, at, reached)
        SELECT workspace_id, event_id, event, patterns, twins, at, endpoint_id FROM remaining
        ON CONFLICT (workspace_id, event_id, event) DO UPDATE SET reached = excluded.reached
        RETURNING event_id
    ), done AS (
        DELETE FROM fan_outs USING message
        WHERE (fan_outs.workspace_id, fan_outs.event_id, fan_outs.event)
              = (message.workspace_id, message.event_id, message.event)
          AND NOT EXISTS (SELECT FROM remaining
                          WHERE remaining.event_id = message.event_id AND remaining.event = message.event)
    )
    SELECT EXISTS (SELECT FROM queued) AS queued, EXISTS (SELECT FROM kept) AS remains
"""
# The oldest of each workspace.
_UNFINISHED = """
    WITH RECURSIVE turn AS (
        (SELECT workspace_id, event_id, event FROM fan_outs ORDER BY workspace_id, event_id, event LIMIT 1)
        UNION ALL
        SELECT next.* FROM turn CROSS JOIN LATERAL (
            SELECT workspace_id, event_id, event FROM fan_outs WHERE workspace_id > turn.workspace_id
            ORDER BY workspace_id, event_id, event LIMIT 1
        ) AS next
    )
    SELECT workspace_id, event_id, event, patterns, twins, at, reached
    FROM fan_outs JOIN turn USING (workspace_id, event_id, event)
    ORDER BY event_id LIMIT $1 FOR UPDATE OF fan_outs SKIP LOCKED
"""


class Part(Struct, frozen=True):
    """What came of a part: whether something was queued, and whether something is left."""

    queued: bool
    remains: bool


async def begin(connection: Connection, messages: Sequence[Message]) -> Part:
    """Queue each message for the active endpoints of its workspace that subscribed to it, the first of them at once.

    For those who listen it is logged alone: they make the delivery themselves. One statement for all. A message that
    was added before adds nothing.
    """
    if not messages:
        return Part(queued=False, remains=False)
    return await _part(
        connection,
        [message.workspace_id for message in messages],
        [message.event_id for message in messages],
        [message.event for message in messages],
        [" ".join(public_events.patterns(message.event)) for message in messages],
        [" ".join(public_events.patterns(message.twin)) if message.twin else "" for message in messages],
        [message.at for message in messages],
        [UUID(int=0)] * len(messages),
        [message.body for message in messages],
        [message.about for message in messages],
    )


async def go_on(connection: Connection) -> Part:
    """The next part of what is left, each workspace's oldest; those that another process is at are its own."""
    rows = await connection.fetch(_UNFINISHED, _TURNS)
    if not rows:
        return Part(queued=False, remains=False)
    columns = [list(column) for column in zip(*rows, strict=True)]
    nothing = [None] * len(rows)
    part = await _part(connection, *columns, nothing, nothing)
    return Part(part.queued, remains=True)


async def _part(connection: Connection, *columns: Sequence[object]) -> Part:
    await by_index(connection)
    row = await connection.fetchrow(_FAN_OUT, max(1, _LOOKS // len(columns[0])), *columns)
    assert row is not None
    return Part(*row)
