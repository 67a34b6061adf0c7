"""Limits in Postgres: one function per statement.

The rule: whoever changes rows of several windows locks them in the order of their keys.
"""

from collections.abc import Sequence
from uuid import UUID

from msgspec import Struct

from libs.contracts.limits import Kind
from libs.postgres.database import Connection, Database
from services.gateway.limits.held import Given, Spent

# A window of a workspace: what is counted, and when it began.
Key = tuple[UUID, Kind, int]


class Asked(Struct, frozen=True):
    """So many permits are `wanted` of a window of which there are `most`."""

    workspace_id: UUID
    kind: Kind
    begins: int
    most: int
    wanted: int

    @property
    def key(self) -> Key:
        return self.workspace_id, self.kind, self.begins


async def take(database: Database, asked: Sequence[Asked]) -> list[Given]:
    """Of each what there was, in their order; nothing for a workspace that is no more. Of no window twice."""
    rows = await database.fetch(
        """
        INSERT INTO permits AS known (workspace_id, kind, begins, most, given)
        SELECT workspace_id, kind, to_timestamp(begins), most, wanted
        FROM unnest($1::uuid[], $2::text[], $3::bigint[], $4::bigint[], $5::bigint[])
            AS asked (workspace_id, kind, begins, most, wanted)
        WHERE most > 0 AND EXISTS (SELECT FROM workspaces WHERE id = workspace_id)
        ORDER BY workspace_id, kind, begins
        ON CONFLICT (workspace_id, kind, begins) DO UPDATE
            SET given = known.given + excluded.given, most = excluded.most WHERE known.given < excluded.most
        RETURNING workspace_id, kind, extract(epoch FROM begins)::bigint, given
        """,
        *_columns([each.key for each in asked]),
        [each.most for each in asked],
        [each.wanted for each in asked],
    )
    out = {(workspace_id, Kind(kind), begins): given for workspace_id, kind, begins, given in rows}
    return [granted(each, out.get(each.key)) for each in asked]


def granted(asked: Asked, out: int | None) -> Given:
    """`out` are all permits that are, those that were asked for among them; None where all were before."""
    if out is None:
        return Given(asked.most, 0, 0)
    permits = min(asked.wanted, asked.most - (out - asked.wanted))
    return Given(asked.most, permits, max(0, asked.most - out), surplus=asked.wanted - permits)


async def book(database: Database, told: Sequence[tuple[Key, Spent]]) -> None:
    await database.execute(
        """
        INSERT INTO permits AS known (workspace_id, kind, begins, used, given)
        SELECT workspace_id, kind, to_timestamp(begins), used, given
        FROM unnest($1::uuid[], $2::text[], $3::bigint[], $4::bigint[], $5::bigint[])
            AS told (workspace_id, kind, begins, used, given)
        WHERE EXISTS (SELECT FROM workspaces WHERE id = workspace_id)
        ORDER BY workspace_id, kind, begins
        ON CONFLICT (workspace_id, kind, begins) DO UPDATE
            SET used = known.used + excluded.used, given = known.given + excluded.given
        """,
        *_columns([key for key, _ in told]),
        [spent.used for _, spent in told],
        [spent.given for _, spent in told],
    )


async def used(database: Database, key: Key) -> int:
    """In one window, by all processes."""
    async with database.acquire() as connection:
        return await used_of(connection, key)


async def used_of(connection: Connection, key: Key) -> int:
    found = await connection.fetchval(
        "SELECT used FROM permits WHERE workspace_id = $1 AND kind = $2 AND begins = to_timestamp($3)", *key
    )
    return found or 0


async def forget(connection: Connection, workspace_id: UUID) -> None:
    for table in ("permits", "limits_reached"):
        await connection.execute(f"DELETE FROM {table} WHERE workspace_id = $1", workspace_id)


async def reached(connection: Connection, keys: Sequence[Key]) -> set[Key]:
    """Of which that is news."""
    rows = await connection.fetch(
        """
        INSERT INTO limits_reached (workspace_id, kind, begins)
        SELECT workspace_id, kind, to_timestamp(begins)
        FROM unnest($1::uuid[], $2::text[], $3::bigint[]) AS told (workspace_id, kind, begins)
        ORDER BY workspace_id, kind, begins
        ON CONFLICT DO NOTHING RETURNING workspace_id, kind, extract(epoch FROM begins)::bigint
        """,
        *_columns(keys),
    )
    return {(workspace_id, Kind(kind), begins) for workspace_id, kind, begins in rows}


def _columns(keys: Sequence[Key]) -> tuple[list[UUID], list[Kind], list[int]]:
    return [key[0] for key in keys], [key[1] for key in keys], [key[2] for key in keys]


async def sweep(database: Database) -> None:
    """What is over: windows a while after their end, and processes that nobody saw for an hour."""
    for table in ("permits", "limits_reached"):
        await database.execute(
            f"""
            WITH over AS (
                SELECT workspace_id, kind, begins FROM {table}
                WHERE (kind = $1 AND begins < now() - interval '10 minutes')
                    OR (kind = $2 AND begins < now() - interval '2 days')
                    OR (kind = $3 AND begins < now() - interval '33 days')
                FOR UPDATE SKIP LOCKED
            )
            DELETE FROM {table} AS gone USING over WHERE gone.workspace_id = over.workspace_id
                AND gone.kind = over.kind AND gone.begins = over.begins
            """,
            Kind.REQUESTS,
            Kind.CHAT_MESSAGES,
            Kind.API_CALLS,
        )
    await database.execute("DELETE FROM processes WHERE seen_at < now() - interval '1 hour'")


async def roll_call(database: Database, process: str, seconds: float) -> int:
    """How many processes there are, this one among them. Who was not seen for so many seconds is none."""
    return await database.fetchval(
        """
        WITH seen AS (
            INSERT INTO processes (name) VALUES ($1) ON CONFLICT (name) DO UPDATE SET seen_at = now()
        )
        SELECT 1 + count(*) FROM processes WHERE name <> $1 AND seen_at > now() - $2 * interval '1 second'
        """,
        process,
        seconds,
    )


async def leave(database: Database, process: str) -> None:
    await database.execute("DELETE FROM processes WHERE name = $1", process)
