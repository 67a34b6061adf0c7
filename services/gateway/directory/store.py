"""The directory's tables, one function per statement. What is not there is None; what is there twice is left alone."""

from datetime import datetime
from typing import Literal, TypeVar
from uuid import UUID

from asyncpg import Record
from msgspec import Struct, structs

from libs.contracts.paging import Slice
from libs.postgres.database import Connection

Role = Literal["owner", "admin", "member"]
S = TypeVar("S", bound=Struct)


class Workspace(Struct, frozen=True):
    """`slug` is the name as it may stand in an address, unique in the installation.

    `retention_days` is None where the installation's number holds, and 0 for ever.
    """

    id: UUID
    name: str
    slug: str
    plan: str
    created_by: UUID | None
    created_at: datetime
    updated_at: datetime
    retention_days: int | None = None
    timezone: str = "UTC"


class Expired(Struct, frozen=True):
    """A workspace that keeps nothing from `before`."""

    id: UUID
    before: datetime


class Account(Struct, frozen=True):
    id: UUID
    email: str
    name: str
    has_password: bool
    created_at: datetime


class Key(Struct, frozen=True):
    """An API key as others may see it: `prefix` is its first characters."""

    id: UUID
    workspace_id: UUID
    account_id: UUID | None
    name: str
    prefix: str
    created_at: datetime
    revoked_at: datetime | None


class Minted(Struct, frozen=True):
    """A key to be kept, by its hash alone."""

    id: UUID
    workspace_id: UUID
    account_id: UUID | None
    name: str
    prefix: str
    hash: bytes


_WORKSPACE = "id, name, slug, plan, created_by, created_at, updated_at, retention_days, timezone"
_ACCOUNT = "id, email, name, password_hash IS NOT NULL AS has_password, created_at"
_KEY = "id, workspace_id, account_id, name, prefix, created_at, revoked_at"


async def add_workspace(
    connection: Connection, id: UUID, name: str, slug: str, created_by: UUID | None
) -> Workspace | None:
    return _one(
        Workspace,
        await connection.fetchrow(
            f"""INSERT INTO workspaces (id, name, slug, created_by) VALUES ($1, $2, $3, $4)
            ON CONFLICT (slug) DO NOTHING RETURNING {_WORKSPACE}""",
            id,
            name,
            slug,
            created_by,
        ),
    )


async def workspace(connection: Connection, id: UUID) -> Workspace | None:
    return _one(Workspace, await connection.fetchrow(f"SELECT {_WORKSPACE} FROM workspaces WHERE id = $1", id))


async def workspace_of_slug(connection: Connection, slug: str) -> Workspace | None:
    return _one(Workspace, await connection.fetchrow(f"SELECT {_WORKSPACE} FROM workspaces WHERE slug = $1", slug))


async def oldest_workspace(connection: Connection) -> UUID | None:
    return await connection.fetchval("SELECT id FROM workspaces ORDER BY id LIMIT 1")


async def workspaces(connection: Connection) -> list[Workspace]:
    return _all(Workspace, await connection.fetch(f"SELECT {_WORKSPACE} FROM workspaces ORDER BY id"))


async def rename_workspace(connection: Connection, id: UUID, name: str) -> Workspace | None:
    return _one(
        Workspace,
        await connection.fetchrow(
            f"UPDATE workspaces SET name = $2, updated_at = now() WHERE id = $1 RETURNING {_WORKSPACE}", id, name
        ),
    )


async def set_retention(connection: Connection, workspace_id: UUID, days: int | None) -> Workspace | None:
    return _one(
        Workspace,
        await connection.fetchrow(
            f"""UPDATE workspaces SET retention_days = $2, expired_at = NULL, updated_at = now() WHERE id = $1
            RETURNING {_WORKSPACE}""",
            workspace_id,
            days,
        ),
    )


async def expire(connection: Connection, days: int, limit: int) -> list[Expired]:
    """Workspaces of which it was not said within the hour, now noted as told of. `days` hold where none are set."""
    rows = await connection.fetch(
        """
        WITH due AS (
            SELECT id, coalesce(retention_days, $1) AS days FROM workspaces
            WHERE coalesce(retention_days, $1) > 0
                AND (expired_at IS NULL OR expired_at < now() - interval '1 hour')
            ORDER BY id LIMIT $2 FOR UPDATE SKIP LOCKED
        )
        UPDATE workspaces SET expired_at = now() FROM due WHERE workspaces.id = due.id
        RETURNING workspaces.id, now() - due.days * interval '1 day' AS before
        """,
        days,
        limit,
    )
    return _all(Expired, rows)


async def hashes(connection: Connection, workspace_id: UUID) -> list[bytes]:
    """Of the workspace's keys."""
    rows = await connection.fetch("SELECT hash FROM api_keys WHERE workspace_id = $1", workspace_id)
    return [row["hash"] for row in rows]


async def delete_workspace(connection: Connection, workspace_id: UUID) -> None:
    """With its members and keys."""
    await connection.execute("DELETE FROM workspaces WHERE id = $1", workspace_id)


async def role(connection: Connection, workspace_id: UUID, account_id: UUID) -> str | None:
    return await connection.fetchval(
        "SELECT role FROM members WHERE workspace_id = $1 AND account_id = $2", workspace_id, account_id
    )


async def add_account(connection: Connection, id: UUID, email: str, name: str) -> Account | None:
    return _one(
        Account,
        await connection.fetchrow(
            f"""INSERT INTO accounts (id, email, name) VALUES ($1, $2, $3)
            ON CONFLICT (email) DO NOTHING RETURNING {_ACCOUNT}""",
            id,
            email,
            name,
        ),
    )


async def account_of_email(connection: Connection, email: str) -> Account | None:
    return _one(Account, await connection.fetchrow(f"SELECT {_ACCOUNT} FROM accounts WHERE email = $1", email))


async def account(connection: Connection, id: UUID) -> Account | None:
    return _one(Account, await connection.fetchrow(f"SELECT {_ACCOUNT} FROM accounts WHERE id = $1", id))


async def accounts(connection: Connection) -> list[Account]:
    return _all(Account, await connection.fetch(f"SELECT {_ACCOUNT} FROM accounts ORDER BY id"))


async def lock_account(connection: Connection, id: UUID) -> None:
    await connection.execute("SELECT FROM accounts WHERE id = $1 FOR UPDATE", id)


async def set_password(connection: Connection, account_id: UUID, hash: str) -> None:
    """Tokens that the one before gave are of an earlier generation now."""
    await connection.execute(
        """UPDATE accounts SET password_hash = $2, generation = generation + 1, updated_at = now() WHERE id = $1""",
        account_id,
        hash,
    )


async def password_hash(connection: Connection, account_id: UUID) -> str | None:
    return await connection.fetchval("SELECT password_hash FROM accounts WHERE id = $1", account_id)


async def add_member(connection: Connection, workspace_id: UUID, account_id: UUID, role: Role) -> None:
    await connection.execute(
        """INSERT INTO members (workspace_id, account_id, role) VALUES ($1, $2, $3)
        ON CONFLICT (workspace_id, account_id) DO NOTHING""",
        workspace_id,
        account_id,
        role,
    )


async def add_key(connection: Connection, minted: Minted) -> Key | None:
    """None where the installation has a key with that hash."""
    row = await connection.fetchrow(
        f"""INSERT INTO api_keys (id, workspace_id, account_id, name, prefix, hash) VALUES ($1, $2, $3, $4, $5, $6)
        ON CONFLICT (hash) DO NOTHING RETURNING {_KEY}""",
        *structs.astuple(minted),
    )
    return _one(Key, row)


async def key_of_hash(connection: Connection, hash: bytes) -> Key | None:
    return _one(Key, await connection.fetchrow(f"SELECT {_KEY} FROM api_keys WHERE hash = $1", hash))


async def keys(connection: Connection, workspace_id: UUID | None) -> list[Key]:
    """The keys of one workspace, or of all."""
    rows = await connection.fetch(
        f"SELECT {_KEY} FROM api_keys WHERE $1::uuid IS NULL OR workspace_id = $1 ORDER BY id", workspace_id
    )
    return _all(Key, rows)


async def page_keys(
    connection: Connection, workspace_id: UUID, account_id: UUID | None, slice: Slice
) -> tuple[list[Key], int]:
    """Those that are not revoked, of an account or of all, newest first; and how many there are."""
    where = "WHERE workspace_id = $1 AND ($2::uuid IS NULL OR account_id = $2) AND revoked_at IS NULL"
    total = await connection.fetchval(f"SELECT count(*) FROM api_keys {where}", workspace_id, account_id)
    rows = await connection.fetch(
        f"SELECT {_KEY} FROM api_keys {where} ORDER BY id DESC LIMIT $3 OFFSET $4",
        workspace_id,
        account_id,
        slice.limit,
        slice.offset,
    )
    return _all(Key, rows), total


async def valid_key(connection: Connection, workspace_id: UUID, key_id: UUID) -> Key | None:
    row = await connection.fetchrow(
        f"SELECT {_KEY} FROM api_keys WHERE id = $1 AND workspace_id = $2 AND revoked_at IS NULL", key_id, workspace_id
    )
    return _one(Key, row)


async def revoke_key(connection: Connection, key_id: UUID) -> tuple[Key, bytes] | None:
    """The key and its hash; None for an id that is none. A revoked key keeps the time of its first revocation."""
    row = await connection.fetchrow(
        f"UPDATE api_keys SET revoked_at = coalesce(revoked_at, now()) WHERE id = $1 RETURNING {_KEY}, hash", key_id
    )
    if row is None:
        return None
    columns = dict(row)
    hash = columns.pop("hash")
    return Key(**columns), hash


def _one(type: type[S], row: Record | None) -> S | None:
    return None if row is None else type(**row)


def _all(type: type[S], rows: list[Record]) -> list[S]:
    return [type(**row) for row in rows]
