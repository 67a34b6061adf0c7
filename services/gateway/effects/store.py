"""Effects in Postgres: one function per statement. Who has what reserved is judged by Postgres's clock alone."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from msgspec import Struct

from libs.postgres.database import Connection, Database


class Row(Struct, frozen=True):
    """`request` and `answer` are None where nothing is known of them yet."""

    effect_id: UUID
    request: bytes | None
    answer: bytes | None


class Kept(Struct, frozen=True):
    """What an effect came to. `about` is the run that the answer speaks of, where it is of another thing."""

    answer: bytes
    request: bytes | None
    about: UUID | None


async def reserve(
    database: Database, scope: UUID, key: str, *, request: bytes | None, effect_id: UUID, seconds: float
) -> UUID | None:
    """The id of the effect, which is the caller's to bring about for so long: a new one, or one that was left undone.

    None where it is another's, is done, or is another request's.
    """
    return await database.fetchval(
        """
        INSERT INTO effects AS known (scope, key, request, effect_id, until)
        VALUES ($1, $2, $3, $4, now() + $5 * interval '1 second')
        ON CONFLICT (scope, key) DO UPDATE SET until = excluded.until
        WHERE known.answer IS NULL AND known.until < now() AND known.request IS NOT DISTINCT FROM excluded.request
        RETURNING effect_id
        """,
        scope,
        key,
        request,
        effect_id,
        seconds,
    )


async def get(database: Database, scope: UUID, key: str) -> Row | None:
    row = await database.fetchrow(
        "SELECT effect_id, request, answer FROM effects WHERE scope = $1 AND key = $2", scope, key
    )
    return Row(**row) if row else None


async def keep(database: Database, scope: UUID, key: str, effect_id: UUID, kept: Kept) -> None:
    """The first answer to it stays."""
    await database.execute(
        """
        UPDATE effects SET answer = $4, request = coalesce(request, $5), about = $6
        WHERE scope = $1 AND key = $2 AND effect_id = $3 AND answer IS NULL
        """,
        scope,
        key,
        effect_id,
        kept.answer,
        kept.request,
        kept.about,
    )


async def release(database: Database, scope: UUID, key: str, effect_id: UUID, *, next_id: UUID) -> None:
    """Left undone, for whoever asks next; under `next_id`, which is the same where its effect may still be found."""
    await database.execute(
        """
        UPDATE effects SET until = '-infinity', effect_id = $4
        WHERE scope = $1 AND key = $2 AND effect_id = $3 AND answer IS NULL
        """,
        scope,
        key,
        effect_id,
        next_id,
    )


async def renew(database: Database, reserved: Sequence[tuple[UUID, str]], *, seconds: float) -> None:
    scopes: Any = [scope for scope, _ in reserved]
    await database.execute(
        """
        UPDATE effects SET until = now() + $3 * interval '1 second'
        FROM unnest($1::uuid[], $2::text[]) AS mine (scope, key)
        WHERE effects.scope = mine.scope AND effects.key = mine.key AND answer IS NULL
        """,
        scopes,
        [key for _, key in reserved],
        seconds,
    )


async def erase(connection: Connection, gone: Sequence[tuple[UUID, UUID]]) -> None:
    """Drops the answers of effects whose thing, which has the effect's id, is no more in the scope, or what they are
    about.
    """
    scopes: Any = [scope for scope, _ in gone]
    await connection.execute(
        """
        WITH gone AS (SELECT * FROM unnest($1::uuid[], $2::uuid[]) AS each (scope, id))
        UPDATE effects SET answer = '' WHERE scope = ANY($1)
            AND ((scope, effect_id) IN (SELECT scope, id FROM gone) OR (scope, about) IN (SELECT scope, id FROM gone))
        """,
        scopes,
        [id for _, id in gone],
    )


async def drop_scope(connection: Connection, scope: UUID) -> None:
    await connection.execute("DELETE FROM effects WHERE scope = $1", scope)


async def forget(database: Database, *, hours: int, limit: int) -> int:
    """Drops up to `limit` of those that are older. How many there were."""
    return await database.fetchval(
        """
        WITH old AS (
            SELECT scope, key FROM effects WHERE created_at < now() - $1 * interval '1 hour' AND until < now()
            ORDER BY created_at LIMIT $2 FOR UPDATE SKIP LOCKED
        ), gone AS (
            DELETE FROM effects USING old WHERE effects.scope = old.scope AND effects.key = old.key RETURNING 1
        )
        SELECT count(*) FROM gone
        """,
        hours,
        limit,
    )
