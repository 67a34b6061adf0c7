"""Providers, as they are stored. Their keys are sealed: whoever calls a model opens them."""

from uuid import UUID

from msgspec import Struct

from libs.contracts import models
from libs.contracts.paging import Page
from libs.postgres.database import Connection, Database
from services.runner.store.pages import Listing, one, perhaps

_PROVIDER = """SELECT id, workspace_id, name, kind, url, masked_key, "default", created_by, created_at, updated_at
FROM providers"""
_LISTING = Listing(_PROVIDER, "providers", "created_at, id")


class Stored(Struct, frozen=True):
    """A provider with what is secret about it."""

    id: UUID
    workspace_id: UUID | None
    name: str
    kind: str
    url: str
    sealed_key: bytes | None
    masked_key: str
    default: bool = False
    created_by: UUID | None = None


async def put(connection: Connection | Database, provider: Stored) -> None:
    """Writes a provider, or writes it anew."""
    await connection.execute(
        """INSERT INTO providers (id, workspace_id, name, kind, url, sealed_key, masked_key, "default", created_by)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
        ON CONFLICT (id) DO UPDATE SET name = $3, kind = $4, url = $5, sealed_key = $6, masked_key = $7, "default" = $8,
            updated_at = now()""",
        provider.id,
        provider.workspace_id,
        provider.name,
        provider.kind,
        provider.url,
        provider.sealed_key,
        provider.masked_key,
        provider.default,
        provider.created_by,
    )


async def get(database: Database, workspace_id: UUID, id: UUID) -> models.Provider | None:
    """One of the workspace's, or of the installation's."""
    where = "id = $2 AND (workspace_id = $1 OR workspace_id IS NULL)"
    row = await database.fetchrow(f"{_PROVIDER} WHERE {where}", workspace_id, id)
    return perhaps(row, models.Provider)


async def page(database: Database, asked: models.PageProviders) -> Page[models.Provider]:
    where = "workspace_id = $1 OR workspace_id IS NULL"
    return await _LISTING.page(database, models.Provider, where, asked.slice, asked.workspace_id)


async def named(connection: Connection, workspace_id: UUID, name: str, id: UUID | None) -> list[Stored]:
    """The workspace's own providers of that name or id, newest first."""
    rows = await connection.fetch(
        """SELECT id, workspace_id, name, kind, url, sealed_key, masked_key, "default", created_by FROM providers
        WHERE workspace_id = $1 AND (lower(name) = lower($2) OR id = $3) ORDER BY created_at DESC, id DESC""",
        workspace_id,
        name,
        id,
    )
    return [one(row, Stored) for row in rows]


async def sealed(database: Database, id: UUID) -> Stored | None:
    """With its key, in any workspace: whoever asks compares it."""
    row = await database.fetchrow(
        """SELECT id, workspace_id, name, kind, url, sealed_key, masked_key, "default", created_by FROM providers
        WHERE id = $1""",
        id,
    )
    return perhaps(row, Stored)


async def lock(connection: Connection, id: UUID) -> Stored | None:
    row = await connection.fetchrow(
        """SELECT id, workspace_id, name, kind, url, sealed_key, masked_key, "default", created_by FROM providers
        WHERE id = $1 FOR UPDATE""",
        id,
    )
    return perhaps(row, Stored)


async def yield_default(connection: Connection, workspace_id: UUID) -> None:
    """None of the workspace's providers is its default any more."""
    await connection.execute(
        """UPDATE providers SET "default" = false WHERE workspace_id = $1 AND "default" """, workspace_id
    )


async def models_of(connection: Connection, provider_id: UUID) -> list[UUID]:
    return [row["id"] for row in await connection.fetch("SELECT id FROM models WHERE provider_id = $1", provider_id)]


async def delete(connection: Connection, id: UUID) -> None:
    await connection.execute("DELETE FROM providers WHERE id = $1", id)
