"""Models, as they are stored. One of a workspace's may be its default."""

from uuid import UUID

from msgspec import UNSET, Struct

from libs.contracts import models
from libs.contracts.paging import Page
from libs.postgres.database import Connection, Database
from services.runner.store.pages import Listing, one, perhaps

_MODEL = """SELECT models.id, models.workspace_id, llm, nickname, context_window, models."default", models.created_by,
    models.created_at, models.updated_at, price, sees_images, calls_tools,
    to_jsonb(providers) - 'sealed_key' AS provider, sealed_key
FROM models JOIN providers ON providers.id = models.provider_id"""
_LISTING = Listing(_MODEL, "models", "models.created_at, models.id")


class Stored(Struct, frozen=True):
    """A model with its provider's sealed key."""

    model: models.Model
    sealed_key: bytes | None


async def put(connection: Connection | Database, model: models.CreateModel, id: UUID, provider_id: UUID) -> None:
    await connection.execute(
        """INSERT INTO models
            (id, workspace_id, provider_id, llm, nickname, context_window, "default", created_by, price, sees_images,
             calls_tools)
        VALUES ($1, $2, $3, $4, $5, $6, $7 OR $12 AND NOT EXISTS (SELECT FROM models WHERE workspace_id = $2),
            $8, $9, $10, $11)
        ON CONFLICT (id) DO NOTHING""",
        id,
        model.workspace_id,
        provider_id,
        model.llm,
        model.nickname,
        model.context_window,
        model.default,
        model.created_by,
        model.price,
        model.sees_images,
        model.calls_tools,
        model.default_if_first,
    )


async def put_of_installation(connection: Connection, id: UUID, provider_id: UUID, llm: str, window: int) -> None:
    await connection.execute(
        """INSERT INTO models (id, workspace_id, provider_id, llm, nickname, context_window, "default")
        VALUES ($1, NULL, $2, $3, '', $4, true)
        ON CONFLICT (id) DO UPDATE SET llm = $3, context_window = $4, updated_at = now()""",
        id,
        provider_id,
        llm,
        window,
    )


async def get(database: Database, workspace_id: UUID, id: UUID) -> models.Model | None:
    """One of the workspace's, or of the installation's."""
    found = await of_any_workspace(database, id)
    return found.model if found and found.model.workspace_id in (workspace_id, None) else None


async def of_any_workspace(database: Connection | Database, id: UUID) -> Stored | None:
    """For the cache, which is asked by id; whoever asks it compares the workspace."""
    row = await database.fetchrow(f"{_MODEL} WHERE models.id = $1", id)
    return None if row is None else Stored(one(row, models.Model), row["sealed_key"])


async def find(database: Database, asked: models.FindModel) -> models.Model | None:
    row = await database.fetchrow(
        f"""{_MODEL} WHERE (models.workspace_id = $1 OR models.workspace_id IS NULL)
            AND lower(providers.name) = lower($2) AND lower(llm) = lower($3)
        ORDER BY models.workspace_id NULLS LAST, models.created_at, models.id LIMIT 1""",
        asked.workspace_id,
        asked.provider,
        asked.llm,
    )
    return perhaps(row, models.Model)


class Candidates(Struct, frozen=True):
    """What of a workspace's models may answer where none is named."""

    default: UUID | None
    oldest: UUID | None


async def candidates(database: Database, workspace_id: UUID | None) -> Candidates:
    """Of the installation's models where `workspace_id` is None."""
    (row,) = await database.fetch(
        """WITH own AS (SELECT id, "default", created_at FROM models WHERE workspace_id IS NOT DISTINCT FROM $1)
        SELECT (SELECT id FROM own WHERE "default"), (SELECT id FROM own ORDER BY created_at, id LIMIT 1)""",
        workspace_id,
    )
    return Candidates(*row)


async def page(database: Database, asked: models.PageModels) -> Page[models.Model]:
    where = "models.workspace_id = $1 OR models.workspace_id IS NULL"
    return await _LISTING.page(database, models.Model, where, asked.slice, asked.workspace_id)


async def update(connection: Connection, asked: models.UpdateModel) -> None:
    given = [
        None if value is UNSET else value for value in (asked.llm, asked.nickname, asked.context_window, asked.default)
    ]
    await connection.execute(
        """UPDATE models SET llm = coalesce($2, llm), nickname = coalesce($3, nickname),
            context_window = coalesce($4, context_window), "default" = coalesce($5, "default"),
            price = CASE WHEN $6 THEN $7 ELSE price END,
            sees_images = CASE WHEN $8 THEN $9 ELSE sees_images END,
            calls_tools = CASE WHEN $10 THEN $11 ELSE calls_tools END, updated_at = now()
        WHERE id = $1""",
        asked.model_id,
        *given,
        asked.price is not UNSET,
        None if asked.price is UNSET else asked.price,
        asked.sees_images is not UNSET,
        None if asked.sees_images is UNSET else asked.sees_images,
        asked.calls_tools is not UNSET,
        None if asked.calls_tools is UNSET else asked.calls_tools,
    )


async def choosing(connection: Connection, workspace_id: UUID) -> None:
    """Until the end of the transaction nobody else says which of the workspace's models is its default."""
    await connection.execute("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", f"models {workspace_id}")


async def yield_default(connection: Connection, workspace_id: UUID) -> None:
    """None of the workspace's models is its default any more."""
    await connection.execute(
        """UPDATE models SET "default" = false WHERE workspace_id = $1 AND "default" """, workspace_id
    )


async def delete(connection: Connection, id: UUID) -> None:
    await connection.execute("DELETE FROM models WHERE id = $1", id)
