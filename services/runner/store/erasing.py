"""Erasing runs, with everything that is known of them: turns, parts, answers, and what later turns repeat of them.

A run that goes on is left alone: its holder would write it again. It is erased once it has ended. What one remembers of
a turn that is erased meanwhile it leaves out at its end: a run ends, and turns are erased, under its session's lock.
"""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from libs.postgres.database import Connection

_ENDED = "status IN ('succeeded', 'failed', 'cancelled')"
_LOCK = """
WITH remembering AS MATERIALIZED (
    SELECT id FROM sessions WHERE id IN (SELECT session_id FROM turns WHERE run_id = ANY($1)) ORDER BY id FOR UPDATE
)
UPDATE sessions SET erased = erased + 1 FROM remembering WHERE sessions.id = remembering.id
"""
# A later turn's prompt begins with the turns before it, word for word; its last message is its own.
_UNSAY = """
WITH said AS (
    SELECT DISTINCT turns.session_id, message
    FROM runs JOIN turns ON turns.run_id = runs.id, LATERAL (VALUES
        (jsonb_build_object('role', 'user', 'content', question)),
        (jsonb_build_object('role', 'assistant', 'content', output))
    ) AS spoken (message)
    WHERE workspace_id = $1 AND runs.id = ANY($2)
), repeated AS (
    SELECT DISTINCT later.id FROM runs AS later JOIN said USING (session_id)
    WHERE later.workspace_id = $1 AND later.id <> ALL($2) AND later.prompt @> jsonb_build_array(said.message)
)
UPDATE runs SET prompt = (
    SELECT coalesce(jsonb_agg(message ORDER BY place), '[]')
    FROM jsonb_array_elements(runs.prompt) WITH ORDINALITY AS of_prompt (message, place)
    WHERE place = jsonb_array_length(runs.prompt)
        OR NOT EXISTS (SELECT FROM said WHERE said.session_id = runs.session_id AND said.message = of_prompt.message)
)
WHERE id IN (SELECT id FROM repeated)
"""
_ERASE = f"""
WITH gone AS (
    DELETE FROM runs WHERE workspace_id = $1 AND id = ANY($2) AND (status = 'queued' OR {_ENDED})
    RETURNING id
), forgotten AS (
    DELETE FROM turns USING gone WHERE turns.run_id = gone.id
), unanswered AS (
    DELETE FROM answers USING gone WHERE answers.run_id = gone.id
), unheard AS (
    DELETE FROM run_parts USING gone WHERE run_parts.run_id = gone.id
), unlisted AS (
    DELETE FROM dataset_runs USING gone WHERE dataset_runs.run_id = gone.id
), unjudged AS (
    DELETE FROM trial_rows
    WHERE point_id IN (SELECT id FROM gone) OR run_ids && (SELECT coalesce(array_agg(id), ARRAY[]::uuid[]) FROM gone)
), unsaid AS (
    UPDATE automation_steps SET output = '{{}}' FROM gone WHERE automation_steps.action_run_id = gone.id
)
SELECT id FROM gone
"""
_TRIED_AGAIN = """
SELECT DISTINCT unnest(run_ids) AS id FROM trial_rows WHERE workspace_id = $1 AND point_id = ANY($2)
"""


async def tried_again(connection: Connection, workspace_id: UUID, ids: Sequence[UUID]) -> list[UUID]:
    """The runs in which evals tried the inputs of these again, and those that judged the answers."""
    return [row["id"] for row in await connection.fetch(_TRIED_AGAIN, workspace_id, list(ids))]


async def erase(connection: Connection, workspace_id: UUID, ids: Sequence[UUID]) -> list[UUID]:
    """Those that were there and did not go on."""
    await connection.execute(_LOCK, list(ids))
    await connection.execute(_UNSAY, workspace_id, list(ids))
    return [row["id"] for row in await connection.fetch(_ERASE, workspace_id, list(ids))]


async def of_sessions(
    connection: Connection, workspace_id: UUID, session_ids: Sequence[UUID], limit: int
) -> list[UUID]:
    """Runs of these sessions that are no turns of others, which branched off."""
    rows = await connection.fetch(
        f"""SELECT id FROM runs WHERE workspace_id = $1 AND session_id = ANY($2) AND {_ENDED}
        AND NOT EXISTS (SELECT FROM turns WHERE run_id = runs.id AND session_id <> ALL($2)) LIMIT $3""",
        workspace_id,
        list(session_ids),
        limit,
    )
    return [row["id"] for row in rows]


async def inherited(connection: Connection, workspace_id: UUID, session_id: UUID) -> list[UUID]:
    """Turns that began in a session which is no more, and are left in this one alone."""
    rows = await connection.fetch(
        """SELECT run_id FROM turns JOIN runs ON runs.id = run_id
        WHERE workspace_id = $1 AND turns.session_id = $2 AND runs.session_id <> $2
        AND NOT EXISTS (SELECT FROM turns AS other WHERE other.run_id = turns.run_id AND other.session_id <> $2)""",
        workspace_id,
        session_id,
    )
    return [row["run_id"] for row in rows]


async def older(connection: Connection, workspace_id: UUID, before: datetime, limit: int) -> list[UUID]:
    rows = await connection.fetch(
        f"""SELECT id FROM runs WHERE workspace_id = $1 AND id < uuid_floor($2) AND {_ENDED} ORDER BY id LIMIT $3""",
        workspace_id,
        before,
        limit,
    )
    return [row["id"] for row in rows]


async def of_workspace(connection: Connection, workspace_id: UUID, limit: int) -> list[UUID]:
    rows = await connection.fetch(
        "SELECT id FROM runs WHERE workspace_id = $1 AND status <> 'running' ORDER BY id LIMIT $2", workspace_id, limit
    )
    return [row["id"] for row in rows]


async def empty_sessions(connection: Connection, workspace_id: UUID, before: datetime) -> None:
    """Sessions in which nothing was said since then."""
    await connection.execute(
        """DELETE FROM sessions WHERE workspace_id = $1 AND updated_at < $2
        AND NOT EXISTS (SELECT FROM turns WHERE session_id = sessions.id)""",
        workspace_id,
        before,
    )


_OF_WORKSPACE = (
    "automations", "experiments", "evals", "datasets", "finetunes",
    "sessions", "apps", "models", "providers", "tools", "answers", "claims",
)  # fmt: skip


async def rest_of_workspace(connection: Connection, workspace_id: UUID) -> None:
    """All but its runs: actions go with their apps, models with their providers."""
    for table in _OF_WORKSPACE:
        await connection.execute(f"DELETE FROM {table} WHERE workspace_id = $1", workspace_id)
