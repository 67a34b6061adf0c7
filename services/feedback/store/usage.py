"""Usage in Postgres: counters of a workspace by day."""

from collections.abc import Sequence

from libs.contracts import runs, usage
from libs.postgres.database import Connection, Database


async def add(connection: Connection, finished: Sequence[runs.RunFinished]) -> None:
    """Counts them all in one statement. Sorted by key, so that two processes at once wait and never deadlock."""
    await connection.execute(
        """
        INSERT INTO usage_by_day
            (workspace_id, day, runs, failed, cached, prompt_tokens, completion_tokens, cost, unpriced)
        SELECT workspace_id, (finished_at AT TIME ZONE 'UTC')::date, count(*),
               count(*) FILTER (WHERE failed), count(*) FILTER (WHERE cached),
               sum(prompt_tokens), sum(completion_tokens), coalesce(sum(cost), 0), count(*) FILTER (WHERE cost IS NULL)
        FROM unnest($1::uuid[], $2::timestamptz[], $3::bool[], $4::bool[], $5::bigint[], $6::bigint[], $7::bigint[])
            AS finished (workspace_id, finished_at, failed, cached, prompt_tokens, completion_tokens, cost)
        GROUP BY 1, 2 ORDER BY 1, 2
        ON CONFLICT (workspace_id, day) DO UPDATE SET
            runs = usage_by_day.runs + excluded.runs,
            failed = usage_by_day.failed + excluded.failed,
            cached = usage_by_day.cached + excluded.cached,
            prompt_tokens = usage_by_day.prompt_tokens + excluded.prompt_tokens,
            completion_tokens = usage_by_day.completion_tokens + excluded.completion_tokens,
            cost = usage_by_day.cost + excluded.cost,
            unpriced = usage_by_day.unpriced + excluded.unpriced
        """,
        [fact.workspace_id for fact in finished],
        [fact.finished_at for fact in finished],
        [fact.status is runs.Status.FAILED for fact in finished],
        [fact.cached for fact in finished],
        [0 if fact.cached else fact.usage.prompt_tokens for fact in finished],
        [0 if fact.cached else fact.usage.completion_tokens for fact in finished],
        [0 if fact.cached else fact.usage.cost for fact in finished],
    )


async def days(database: Database, asked: usage.UsageOf) -> list[usage.Day]:
    rows = await database.fetch(
        """
        SELECT day AS date, runs, failed, cached, prompt_tokens, completion_tokens, cost, unpriced
        FROM usage_by_day WHERE workspace_id = $1 AND day BETWEEN $2 AND $3 ORDER BY day
        """,
        asked.workspace_id,
        asked.first,
        asked.last,
    )
    return [usage.Day(**row) for row in rows]
