"""Apps, as they are stored."""

from uuid import UUID

from msgspec import UNSET

from libs.contracts import apps
from libs.contracts.paging import Page
from libs.postgres.database import Connection, Database
from services.runner.store.pages import Listing, perhaps

_APP = """SELECT id, workspace_id, name, description, app_type, default_action_id, created_by, created_at, updated_at,
    "default"
FROM apps"""
_LISTING = Listing(_APP, "apps", "created_at, id")


async def create(connection: Connection, id: UUID, asked: apps.CreateApp) -> bool:
    """False where there is one of that id already."""
    new = await connection.fetchval(
        """INSERT INTO apps (id, workspace_id, name, description, app_type, created_by)
        VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (id) DO NOTHING RETURNING true""",
        id,
        asked.workspace_id,
        asked.name,
        asked.description,
        asked.app_type,
        asked.created_by,
    )
    return bool(new)


async def get(database: Database, workspace_id: UUID, id: UUID) -> apps.App | None:
    row = await database.fetchrow(f"{_APP} WHERE workspace_id = $1 AND id = $2", workspace_id, id)
    return perhaps(row, apps.App)


async def of_any_workspace(database: Database, id: UUID) -> apps.App | None:
    """For the cache, which is asked by id; whoever asks it compares the workspace."""
    row = await database.fetchrow(f"{_APP} WHERE id = $1", id)
    return perhaps(row, apps.App)


async def default(database: Database, workspace_id: UUID) -> UUID | None:
    """The workspace's default app, or its first that has an action."""
    return await database.fetchval(
        """SELECT id FROM apps WHERE workspace_id = $1 AND ("default" OR default_action_id IS NOT NULL)
        ORDER BY "default" DESC, created_at, id LIMIT 1""",
        workspace_id,
    )


async def page(database: Database, asked: apps.PageApps) -> Page[apps.App]:
    return await _LISTING.page(database, apps.App, "workspace_id = $1", asked.slice, asked.workspace_id)


async def yield_default(connection: Connection, workspace_id: UUID) -> None:
    """None of the workspace's apps is its default any more."""
    await connection.execute(
        """UPDATE apps SET "default" = false WHERE workspace_id = $1 AND "default" """, workspace_id
    )


async def update(connection: Connection, asked: apps.UpdateApp) -> None:
    await connection.execute(
        """UPDATE apps SET name = coalesce($3, name), description = coalesce($4, description),
            "default" = coalesce($5, "default"), updated_at = now()
        WHERE workspace_id = $1 AND id = $2""",
        asked.workspace_id,
        asked.app_id,
        None if asked.name is UNSET else asked.name,
        None if asked.description is UNSET else asked.description,
        None if asked.default is UNSET else asked.default,
    )


async def delete(connection: Connection, workspace_id: UUID, id: UUID) -> list[UUID]:
    """The actions that went with it."""
    gone = await connection.fetch("SELECT id FROM actions WHERE workspace_id = $1 AND app_id = $2", workspace_id, id)
    await connection.execute("DELETE FROM apps WHERE workspace_id = $1 AND id = $2", workspace_id, id)
    return [row["id"] for row in gone]


async def adopt(connection: Connection, app_id: UUID, action_id: UUID) -> None:
    """Makes the action the app's default where it has none."""
    await connection.execute(
        "UPDATE apps SET default_action_id = $2 WHERE id = $1 AND default_action_id IS NULL", app_id, action_id
    )


async def disown(connection: Connection, app_id: UUID, action_id: UUID) -> None:
    """Gives the app its next action as a default in place of one that goes."""
    await connection.execute(
        """UPDATE apps SET default_action_id = (
            SELECT id FROM actions WHERE app_id = $1 AND id <> $2 ORDER BY created_at, id LIMIT 1
        ) WHERE id = $1 AND default_action_id = $2""",
        app_id,
        action_id,
    )
