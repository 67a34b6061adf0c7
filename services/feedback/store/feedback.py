"""Feedback in Postgres: one function per statement."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from libs.contracts import feedback
from libs.contracts.paging import Slice
from libs.postgres.database import Connection, Database
from libs.postgres.text import clean

_COLUMNS = "id, workspace_id, run_id, type, value, source, created_by, metadata, created_at, updated_at"


async def insert(connection: Connection, id: UUID, given: feedback.CreateFeedback) -> feedback.Feedback | None:
    """None where there is one of that id already."""
    row = await connection.fetchrow(
        f"""
        WITH given AS (
            INSERT INTO feedback (id, workspace_id, run_id, type, value, source, created_by, metadata)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
            ON CONFLICT (id) DO NOTHING RETURNING {_COLUMNS}
        ), counted AS (
            INSERT INTO totals SELECT workspace_id, 1 FROM given
            ON CONFLICT (workspace_id) DO UPDATE SET feedback = totals.feedback + 1
        )
        SELECT * FROM given
        """,
        id,
        given.workspace_id,
        given.run_id,
        given.type,
        clean(given.value),
        clean(given.source),
        clean(given.created_by),
        clean(given.metadata),
    )
    return _feedback(row) if row else None


async def get(database: Database, workspace_id: UUID, id: UUID) -> feedback.Feedback | None:
    row = await database.fetchrow(
        f"SELECT {_COLUMNS} FROM feedback WHERE workspace_id = $1 AND id = $2", workspace_id, id
    )
    return _feedback(row) if row else None


async def lock(connection: Connection, workspace_id: UUID, id: UUID) -> feedback.Feedback | None:
    row = await connection.fetchrow(
        f"SELECT {_COLUMNS} FROM feedback WHERE workspace_id = $1 AND id = $2 FOR UPDATE", workspace_id, id
    )
    return _feedback(row) if row else None


async def replace(connection: Connection, changed: feedback.Feedback) -> feedback.Feedback:
    row = await connection.fetchrow(
        f"""
        UPDATE feedback SET type = $2, value = $3, source = $4, created_by = $5, metadata = $6, updated_at = now()
        WHERE id = $1
        RETURNING {_COLUMNS}
        """,
        changed.id,
        changed.type,
        clean(changed.value),
        clean(changed.source),
        clean(changed.created_by),
        clean(changed.metadata),
    )
    return _feedback(row)


async def delete(database: Database, workspace_id: UUID, id: UUID) -> feedback.Feedback | None:
    row = await database.fetchrow(
        f"""
        WITH gone AS (
            DELETE FROM feedback WHERE workspace_id = $1 AND id = $2 RETURNING {_COLUMNS}
        ), counted AS (
            UPDATE totals SET feedback = feedback - 1 WHERE workspace_id = $1 AND EXISTS (SELECT FROM gone)
        )
        SELECT * FROM gone
        """,
        workspace_id,
        id,
    )
    return _feedback(row) if row else None


async def page(database: Database, workspace_id: UUID, slice: Slice) -> list[feedback.Feedback]:
    """In the order in which it was given."""
    rows = await database.fetch(
        f"SELECT {_COLUMNS} FROM feedback WHERE workspace_id = $1 ORDER BY id OFFSET $2 LIMIT $3",
        workspace_id,
        slice.offset,
        slice.limit,
    )
    return [_feedback(row) for row in rows]


async def total(database: Database, workspace_id: UUID) -> int:
    return await database.fetchval("SELECT feedback FROM totals WHERE workspace_id = $1", workspace_id) or 0


async def of_runs(database: Database, workspace_id: UUID, run_ids: Sequence[UUID]) -> list[feedback.Feedback]:
    rows = await database.fetch(
        f"SELECT {_COLUMNS} FROM feedback WHERE workspace_id = $1 AND run_id = ANY($2) ORDER BY id",
        workspace_id,
        list(run_ids),
    )
    return [_feedback(row) for row in rows]


def _feedback(row: Any) -> feedback.Feedback:
    return feedback.Feedback(**row)
