"""Signing in, in Postgres: one function per statement. Windows are judged by Postgres's clock alone."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from msgspec import Struct

from libs.postgres.database import Connection, Database


class Membership(Struct, frozen=True):
    account_id: UUID
    workspace_id: UUID
    generation: int


class Credentials(Struct, frozen=True):
    account_id: UUID
    generation: int
    password_hash: str | None


class Profile(Struct, frozen=True):
    """An account and the plan of the workspace that it works in."""

    account_id: UUID
    email: str
    name: str
    created_at: datetime
    last_seen_at: datetime | None
    plan: str


class Tried(Struct, frozen=True):
    """`seconds` are left of the window."""

    subject: bytes
    tried: int
    seconds: float


async def credentials(connection: Connection, email: str) -> Credentials | None:
    row = await connection.fetchrow(
        "SELECT id AS account_id, generation, password_hash FROM accounts WHERE email = $1", email
    )
    return Credentials(**row) if row else None


async def memberships(
    connection: Connection, *, account_id: UUID | None = None, workspace_id: UUID | None = None
) -> list[Membership]:
    """Of an account or in a workspace, the longest-standing first."""
    rows = await connection.fetch(
        """
        SELECT account_id, workspace_id, generation FROM members JOIN accounts ON accounts.id = account_id
        WHERE ($1::uuid IS NULL OR account_id = $1) AND ($2::uuid IS NULL OR workspace_id = $2)
        ORDER BY members.created_at, workspace_id
        """,
        account_id,
        workspace_id,
    )
    return [Membership(**row) for row in rows]


async def stands(connection: Connection, account_id: UUID, workspace_id: UUID, generation: int) -> bool:
    return await connection.fetchval(
        """
        SELECT EXISTS (
            SELECT FROM members JOIN accounts ON accounts.id = account_id
            WHERE account_id = $1 AND workspace_id = $2 AND generation = $3
        )
        """,
        account_id,
        workspace_id,
        generation,
    )


async def profile(connection: Connection, account_id: UUID, workspace_id: UUID) -> Profile | None:
    row = await connection.fetchrow(
        """
        SELECT accounts.id AS account_id, email, accounts.name, accounts.created_at, last_seen_at, plan
        FROM accounts, workspaces
        WHERE accounts.id = $1 AND workspaces.id = $2
        """,
        account_id,
        workspace_id,
    )
    return Profile(**row) if row else None


async def seen(connection: Connection, account_id: UUID) -> None:
    await connection.execute("UPDATE accounts SET last_seen_at = now() WHERE id = $1", account_id)


async def attempt(database: Database, subjects: Sequence[bytes], seconds: float) -> list[Tried]:
    """Counts an attempt of each; the first of a window begins it. In one order, so that two never wait in a circle."""
    rows = await database.fetch(
        """
        INSERT INTO login_attempts AS known (subject, tried, until)
        SELECT subject, 1, now() + $2 * interval '1 second' FROM unnest($1::bytea[]) AS subject ORDER BY subject
        ON CONFLICT (subject) DO UPDATE SET
            tried = CASE WHEN known.until > now() THEN least(known.tried + 1, 1000000) ELSE 1 END,
            until = CASE WHEN known.until > now() THEN known.until ELSE excluded.until END
        RETURNING subject, tried, extract(epoch FROM until - now())::float8 AS seconds
        """,
        sorted(subjects),
        seconds,
    )
    return [Tried(**row) for row in rows]


async def give_back(connection: Connection, subject: bytes) -> None:
    await connection.execute("UPDATE login_attempts SET tried = tried - 1 WHERE subject = $1 AND tried > 0", subject)


async def sweep(database: Database, limit: int) -> int:
    """How many windows that have ended were dropped, so many at most."""
    return await database.fetchval(
        """
        WITH ended AS (
            SELECT subject FROM login_attempts WHERE until < now() LIMIT $1 FOR UPDATE SKIP LOCKED
        ), dropped AS (
            DELETE FROM login_attempts USING ended WHERE login_attempts.subject = ended.subject RETURNING 1
        )
        SELECT count(*) FROM dropped
        """,
        limit,
    )
