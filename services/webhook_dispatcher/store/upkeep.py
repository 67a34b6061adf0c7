"""What upkeep asks of Postgres; the functions are those of libs.postgres."""

from collections.abc import Iterator

_TABLES = {"payloads": "event_id", "deliveries": "id", "attempts": "delivery_id"}


def steps(kept_days: int) -> Iterator[str]:
    """Statements for one transaction each: first the partitions that will be needed, then what is older than that."""
    for table, key in _TABLES.items():
        yield f"SELECT make_partition_by_id('{table}', '{key}', day) FROM coming_days() AS day"
    for table, key in _TABLES.items():
        yield f"SELECT drop_partitions('{table}', {kept_days})"
        yield f"DELETE FROM {table}_other WHERE {key} < uuid_floor(now() - interval '{kept_days} days')"
    yield "DELETE FROM endpoints WHERE status = 'listening' AND created_at < now() - interval '7 days'"
    yield f"DELETE FROM mails WHERE status <> 'queued' AND created_at < now() - interval '{kept_days} days'"
    yield f"DELETE FROM notifications WHERE created_at < now() - interval '{kept_days} days'"
