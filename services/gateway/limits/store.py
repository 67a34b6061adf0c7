"""Limits in Postgres: one function per statement. What was counted is written here once a second."""

from collections.abc import Sequence
from uuid import UUID

from msgspec import Struct

from libs.contracts.limits import Kind
from libs.postgres.database import Connection, Database
from services.gateway.limits.ledger import Key

LEASE = "limits"
_TABLES = ("limit_windows", "limits_reached")


class Row(Struct, frozen=True):
    """What a process used and took in a window."""

    workspace_id: UUID
    kind: Kind
    begins: int
    process: str
    used: int
    taken: int


class RollCall(Struct, frozen=True):
    """How many processes there are, and which of them counts."""

    processes: int
    counter: str | None


async def roll_call(database: Database, process: str, seconds: float) -> RollCall:
    """With this process among them. Who was not seen for so many seconds is none."""
    row = await database.fetchrow(
        """
        WITH seen AS (
            INSERT INTO processes (name) VALUES ($1) ON CONFLICT (name) DO UPDATE SET seen_at = now()
        )
        SELECT (SELECT count(*) FROM processes WHERE name <> $1 AND seen_at > now() - $2 * interval '1 second'),
            (SELECT holder FROM leases WHERE name = $3 AND until >= now())
        """,
        process,
        seconds,
        LEASE,
    )
    assert row is not None
    return RollCall(1 + row[0], row[1])


async def leave(database: Database, process: str) -> None:
    await database.execute("DELETE FROM processes WHERE name = $1", process)


async def rows(database: Database, key: Key) -> list[Row]:
    """Of one window."""
    found = await database.fetch(
        """
        SELECT workspace_id, kind, extract(epoch FROM begins)::bigint AS begins, process, used, taken
        FROM limit_windows WHERE workspace_id = $1 AND kind = $2 AND begins = to_timestamp($3)
        """,
        *key,
    )
    return [Row(**row) for row in found]


async def used(connection: Connection, key: Key) -> int:
    """In one window, by all processes."""
    return await connection.fetchval(
        """
        SELECT coalesce(sum(used), 0)::bigint FROM limit_windows
        WHERE workspace_id = $1 AND kind = $2 AND begins = to_timestamp($3)
        """,
        *key,
    )


async def write(connection: Connection, rows: Sequence[Row], *, holder: str) -> None:
    """Nothing where another holds the lease by now, which knows more, nor of a workspace that is no more."""
    told = sorted(rows, key=lambda row: (row.workspace_id, row.kind, row.begins, row.process))
    await connection.execute(
        """
        INSERT INTO limit_windows (workspace_id, kind, begins, process, used, taken)
        SELECT workspace_id, kind, to_timestamp(begins), process, used, taken
        FROM unnest($1::uuid[], $2::text[], $3::bigint[], $4::text[], $5::bigint[], $6::bigint[])
            AS told (workspace_id, kind, begins, process, used, taken)
        WHERE EXISTS (SELECT FROM leases WHERE name = $7 AND holder = $8)
            AND EXISTS (SELECT FROM workspaces WHERE id = workspace_id)
        ON CONFLICT (workspace_id, kind, begins, process) DO UPDATE SET used = excluded.used, taken = excluded.taken
        """,
        [row.workspace_id for row in told],
        [row.kind for row in told],
        [row.begins for row in told],
        [row.process for row in told],
        [row.used for row in told],
        [row.taken for row in told],
        LEASE,
        holder,
    )


async def forget(connection: Connection, workspace_id: UUID) -> None:
    for table in _TABLES:
        await connection.execute(f"DELETE FROM {table} WHERE workspace_id = $1", workspace_id)


async def reached(connection: Connection, key: Key) -> bool:
    """Whether that is news."""
    return await connection.fetchval(
        """
        INSERT INTO limits_reached (workspace_id, kind, begins) VALUES ($1, $2, to_timestamp($3))
        ON CONFLICT DO NOTHING RETURNING true
        """,
        *key,
    )


async def sweep(database: Database) -> None:
    """What is over: windows a while after their end, and processes that nobody saw for an hour."""
    for table in _TABLES:
        await database.execute(
            f"""
            DELETE FROM {table} WHERE (kind = $1 AND begins < now() - interval '10 minutes')
                OR (kind = $2 AND begins < now() - interval '2 days')
                OR (kind = $3 AND begins < now() - interval '33 days')
            """,
            Kind.REQUESTS,
            Kind.CHAT_MESSAGES,
            Kind.API_CALLS,
        )
    await database.execute("DELETE FROM processes WHERE seen_at < now() - interval '1 hour'")
