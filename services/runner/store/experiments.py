"""Experiments, as they are stored, and what the runs of their variants came to."""

from uuid import UUID

from libs.contracts import experiments
from libs.postgres.database import Database
from services.runner.store.pages import one, perhaps
from services.runner.store.tables import Table

TABLE = Table("experiments", experiments.Experiment, "experiment")


async def of_any_workspace(database: Database, id: UUID) -> experiments.Experiment | None:
    """For the cache, which is asked by id; whoever asks it compares the workspace."""
    row = await database.fetchrow("SELECT * FROM experiments WHERE id = $1", id)
    return perhaps(row, experiments.Experiment)


async def results(database: Database, workspace_id: UUID, id: UUID) -> list[experiments.Result]:
    rows = await database.fetch(
        """SELECT variant_id, action_id, count(*) AS runs,
            count(*) FILTER (WHERE status = 'succeeded') AS succeeded,
            count(*) FILTER (WHERE status = 'failed') AS failed,
            count(*) FILTER (WHERE status = 'cancelled') AS cancelled,
            count(*) FILTER (WHERE cached_from IS NOT NULL) AS cached,
            avg(latency_ms) FILTER (WHERE answered) AS latency_mean,
            percentile_cont(0.5) WITHIN GROUP (ORDER BY latency_ms) FILTER (WHERE answered) AS latency_p50,
            percentile_cont(0.95) WITHIN GROUP (ORDER BY latency_ms) FILTER (WHERE answered) AS latency_p95,
            coalesce(sum((usage ->> 'prompt_tokens')::bigint) FILTER (WHERE asked), 0)::bigint AS prompt_tokens,
            coalesce(sum((usage ->> 'completion_tokens')::bigint) FILTER (WHERE asked), 0)::bigint AS completion_tokens,
            coalesce(sum((usage ->> 'cost')::bigint) FILTER (WHERE asked), 0)::bigint AS cost,
            count(*) FILTER (WHERE asked AND usage ->> 'cost' IS NULL) AS unpriced
        FROM (
            SELECT *, cached_from IS NULL AS asked, cached_from IS NULL AND status = 'succeeded' AS answered
            FROM runs WHERE workspace_id = $1 AND experiment = $2 AND status IN ('succeeded', 'failed', 'cancelled')
        ) AS ended
        GROUP BY variant_id, action_id ORDER BY min(created_at)""",
        workspace_id,
        str(id),
    )
    return [one(row, experiments.Result) for row in rows]
