"""A log of deliveries as a month of traffic leaves it: over days and endpoints, with an attempt each."""

from datetime import date, timedelta
from uuid import UUID

from libs.postgres.database import Database

_IDS = """
    SELECT (lpad(to_hex(floor(extract(epoch FROM $1::date::timestamp AT TIME ZONE 'UTC') * 1000
                              + n * 86400000.0 / $2::int)::bigint), 12, '0')
            || '7' || substr(digest, 1, 3) || '8' || substr(digest, 4, 15))::uuid AS id, n
    FROM generate_series(0, $2::int - 1) AS n, md5(n::text) AS digest
"""
_DELIVERIES = f"""
    INSERT INTO deliveries (id, workspace_id, endpoint_id, event_id, event, created_at)
    SELECT id, $3, ($4::uuid[])[n % cardinality($4::uuid[]) + 1], id, 'generation.completed', $1::date
    FROM ({_IDS}) AS made
"""
_ATTEMPTS = f"""
    INSERT INTO attempts (delivery_id, number, at, latency_ms, status_code, error, excerpt)
    SELECT id, 1, $1::date, 12.5, CASE WHEN n % 5 = 0 THEN 500 ELSE 200 END, NULL, 'ok' FROM ({_IDS}) AS made
"""


async def fill(database: Database, workspace_id: UUID, endpoints: list[UUID], *, days: list[date], a_day: int) -> None:
    """So many deliveries on each of the days, in turn to each endpoint, with an attempt each."""
    for day in days:
        for table, key in (("deliveries", "id"), ("attempts", "delivery_id")):
            await database.execute("SELECT make_partition_by_id($1, $2, $3)", table, key, day)
        async with database.acquire() as connection:
            await connection.execute(_DELIVERIES, day, a_day, workspace_id, endpoints, timeout=600)
            await connection.execute(_ATTEMPTS, day, a_day, timeout=600)
    await database.execute("ANALYZE deliveries")
    await database.execute("ANALYZE attempts")


def days_before(today: date, count: int) -> list[date]:
    return [today - timedelta(days=back) for back in range(count, 0, -1)]
