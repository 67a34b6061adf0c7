"""Erasing feedback with the runs that it is about, in batches, and which variants they were; the totals keep up."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from libs.postgres.database import Connection

_ERASE = """
WITH chosen AS (
    SELECT id FROM feedback WHERE workspace_id = $1 AND {which} LIMIT $2
), gone AS (
    DELETE FROM feedback USING chosen WHERE feedback.id = chosen.id RETURNING feedback.id
), counted AS (
    UPDATE totals SET feedback = feedback - (SELECT count(*) FROM gone) WHERE workspace_id = $1
)
SELECT count(*) FROM gone
"""
_OF_RUNS = _ERASE.format(which="run_id = ANY($3)")
_OLDER = _ERASE.format(which="run_id < uuid_floor($3)")
_ALL = _ERASE.format(which="true")


_VARIANTS = """
WITH gone AS (
    DELETE FROM variants WHERE run_id IN (SELECT run_id FROM variants WHERE workspace_id = $1 AND {which} LIMIT $2)
    RETURNING run_id
)
SELECT count(*) FROM gone
"""
_VARIANTS_OF_RUNS = _VARIANTS.format(which="run_id = ANY($3)")
_OLDER_VARIANTS = _VARIANTS.format(which="run_id < uuid_floor($3)")


async def of_runs(connection: Connection, workspace_id: UUID, run_ids: Sequence[UUID], limit: int) -> int:
    args = workspace_id, limit, list(run_ids)
    return max(await connection.fetchval(_OF_RUNS, *args), await connection.fetchval(_VARIANTS_OF_RUNS, *args))


async def older(connection: Connection, workspace_id: UUID, before: datetime, limit: int) -> int:
    """What is about runs that began before then."""
    args = workspace_id, limit, before
    return max(await connection.fetchval(_OLDER, *args), await connection.fetchval(_OLDER_VARIANTS, *args))


async def of_workspace(connection: Connection, workspace_id: UUID, limit: int) -> int:
    return await connection.fetchval(_ALL, workspace_id, limit)


async def counters(connection: Connection, workspace_id: UUID) -> None:
    for table in ("totals", "usage_by_day", "analytics_by_day", "variants"):
        await connection.execute(f"DELETE FROM {table} WHERE workspace_id = $1", workspace_id)
