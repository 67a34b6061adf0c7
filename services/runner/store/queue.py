"""The queue of asynchronous runs: rows of status 'queued', claimed by the runners that have room.

The rule: workspaces take turns, those first that have the fewest claimed runs going on; within one, the oldest goes
first. Claims are made one after the other, so that limits are exact.
"""

from datetime import datetime
from uuid import UUID

from msgspec import Struct

from libs.postgres.database import Database

_IN_TURN = "SELECT pg_advisory_xact_lock(hashtextextended(current_schema || '.claims', 0))"
# The index is walked from lane to lane (a model of a workspace), never through all that waits in one. $3 and $4 are how
# many claimed runs of a workspace and of a model may go on.
_CLAIM = """
WITH RECURSIVE lanes AS (
    (SELECT workspace_id, model_id FROM runs WHERE status = 'queued' ORDER BY workspace_id, model_id LIMIT 1)
    UNION ALL
    SELECT next.* FROM lanes, LATERAL (
        SELECT workspace_id, model_id FROM runs
        WHERE status = 'queued' AND (workspace_id, model_id) > (lanes.workspace_id, lanes.model_id)
        ORDER BY workspace_id, model_id LIMIT 1
    ) AS next
), going_on AS MATERIALIZED (
    SELECT workspace_id, model_id FROM runs WHERE status = 'running' AND mode = 'async'
), models AS MATERIALIZED (
    SELECT model_id, $4 - (SELECT count(*) FROM going_on WHERE going_on.model_id = lane.model_id) AS room
    FROM (SELECT DISTINCT model_id FROM lanes) AS lane
), heads AS (
    SELECT lanes.workspace_id, model_id, head.id, room
    FROM lanes JOIN models USING (model_id), LATERAL (
        SELECT id FROM runs
        WHERE status = 'queued' AND workspace_id = lanes.workspace_id AND model_id = lanes.model_id
        ORDER BY id LIMIT greatest(least($2, room), 0)
    ) AS head
), placed AS (
    SELECT heads.*, row_number() OVER (PARTITION BY workspace_id ORDER BY id)
        + (SELECT count(*) FROM going_on WHERE going_on.workspace_id = heads.workspace_id) AS place
    FROM heads
), in_turn AS (
    SELECT id, room, place, at, row_number() OVER (PARTITION BY model_id ORDER BY place, at NULLS FIRST, id) AS of_model
    FROM placed LEFT JOIN claims USING (workspace_id) WHERE place <= $3
), next AS (
    SELECT id FROM in_turn WHERE of_model <= room ORDER BY place, at NULLS FIRST, id LIMIT $2
), free AS (
    SELECT id FROM runs WHERE id IN (SELECT id FROM next) AND status = 'queued' ORDER BY id FOR UPDATE SKIP LOCKED
), claimed AS (
    UPDATE runs SET status = 'running', holder = $1 FROM free WHERE runs.id = free.id
    RETURNING runs.id, runs.workspace_id, runs.attempt, runs.created_at, runs.request
), noted AS (
    INSERT INTO claims (workspace_id, at) SELECT workspace_id, clock_timestamp() FROM claimed GROUP BY workspace_id
    ON CONFLICT (workspace_id) DO UPDATE SET at = excluded.at
)
SELECT id, attempt, created_at, request FROM claimed
"""
_WAITING = "SELECT EXISTS (SELECT FROM runs WHERE status = 'queued')"
# No further than to the bound.
_OF_WORKSPACE = """
SELECT count(*) FROM (SELECT FROM runs WHERE status = 'queued' AND workspace_id = $1 LIMIT $2) AS waiting
"""
_ANY_NUMBER = 1_000_000


class Claimed(Struct, frozen=True):
    """`request` is a packed StartRun."""

    id: UUID
    attempt: int
    created_at: datetime
    request: bytes


class Queue:
    """`of_workspace` and `of_model`: how many claimed runs may go on at once, over all runners; 0 for any number."""

    def __init__(self, database: Database, *, of_workspace: int = 0, of_model: int = 0) -> None:
        self._database = database
        self._limits = of_workspace or _ANY_NUMBER, of_model or _ANY_NUMBER

    async def claim(self, holder: str, *, room: int) -> tuple[list[Claimed], bool]:
        """Runs that are this holder's from now on, and whether others go on waiting."""
        async with self._database.transaction() as connection:
            await connection.execute(_IN_TURN)
            rows = await connection.fetch(_CLAIM, holder, room, *self._limits)
            return [Claimed(**row) for row in rows], await connection.fetchval(_WAITING)

    async def waiting(self, workspace_id: UUID, *, most: int) -> int:
        """How many of its runs wait, counted up to `most`."""
        return await self._database.fetchval(_OF_WORKSPACE, workspace_id, most)
