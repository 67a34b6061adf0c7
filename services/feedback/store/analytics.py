"""Analytics in Postgres: a workspace's figures by day."""

from collections import defaultdict
from collections.abc import Mapping
from datetime import date
from enum import StrEnum
from uuid import UUID

from libs.contracts import analytics
from libs.postgres.database import Connection, Database


class Figure(StrEnum):
    """What is counted, by the names that a day has for it."""

    CHAT_MESSAGES = "chat_messages"
    AUTOMATION_RUNS = "automation_runs"
    CONTACTS_CREATED = "contacts_created"
    API_CALLS = "api_calls"
    WEBHOOKS_DELIVERED = "webhooks_delivered"


async def add(connection: Connection, figure: Figure, sums: Mapping[tuple[UUID, date], int]) -> None:
    """Sorted by key, so that two processes at once wait and never deadlock."""
    ordered = sorted(sums.items())
    await connection.execute(
        """
        INSERT INTO analytics_by_day (figure, workspace_id, day, number)
        SELECT $1, * FROM unnest($2::uuid[], $3::date[], $4::bigint[])
        ON CONFLICT (workspace_id, day, figure) DO UPDATE SET number = analytics_by_day.number + excluded.number
        """,
        figure,
        [workspace_id for (workspace_id, _), _ in ordered],
        [day for (_, day), _ in ordered],
        [number for _, number in ordered],
    )


async def days(database: Database, asked: analytics.AnalyticsOf) -> list[analytics.Day]:
    rows = await database.fetch(
        """
        SELECT day, figure, number FROM analytics_by_day
        WHERE workspace_id = $1 AND day BETWEEN $2 AND $3 AND figure = ANY($4) ORDER BY day
        """,
        asked.workspace_id,
        asked.first,
        asked.last,
        list(Figure),
    )
    by_day: defaultdict[date, dict[str, int]] = defaultdict(dict)
    for row in rows:
        by_day[row["day"]][row["figure"]] = row["number"]
    return [analytics.Day(day, **figures) for day, figures in by_day.items()]
