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
_ERASE_VARIANTS = """
WITH gone AS (
    DELETE FROM variants WHERE run_id IN (SELECT run_id FROM variants WHERE workspace_id = $1 AND {which} LIMIT $2)
    RETURNING run_id
)
SELECT count(*) FROM gone
"""
_OF_RUNS, _OLDER, _ALL = (
    (_ERASE.format(which=which), _ERASE_VARIANTS.format(which=which))
    for which in ("run_id = ANY($3)", "run_id < uuid_floor($3)", "true")
)


async def of_runs(connection: Connection, workspace_id: UUID, run_ids: Sequence[UUID], limit: int) -> int:
    return await _erase(connection, _OF_RUNS, workspace_id, limit, list(run_ids))


async def older(connection: Connection, workspace_id: UUID, before: datetime, limit: int) -> int:
    """What is about runs that began before then."""
    return await _erase(connection, _OLDER, workspace_id, limit, before)


async def of_workspace(connection: Connection, workspace_id: UUID, limit: int) -> int:
    return await _erase(connection, _ALL, workspace_id, limit)


async def _erase(connection: Connection, statements: tuple[str, str], *args: object) -> int:
    """How many rows of the table that lost more of them: below the limit, nothing is left in either."""
    feedback, variants = statements
    return max(await connection.fetchval(feedback, *args), await connection.fetchval(variants, *args))


async def counters(connection: Connection, workspace_id: UUID) -> None:
    """A row for each day at most: all at once."""
    for table in ("totals", "usage_by_day", "analytics_by_day"):
        await connection.execute(f"DELETE FROM {table} WHERE workspace_id = $1", workspace_id)
