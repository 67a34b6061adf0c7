"""Actions and their versions, as they are stored: a version is written once and never changes."""

from uuid import UUID

from libs.contracts import actions, ids
from libs.contracts.paging import Page
from libs.postgres.database import Connection, Database
from services.runner.store.pages import Listing, one, perhaps

_FROM = "actions JOIN action_versions ON action_versions.id = actions.version_id"
_ACTION = f"""SELECT actions.id, workspace_id, app_id, version_id, actions.version, name, kind, description, prompt,
system_message, model_id, parameters, context_ids, tool_ids, examples, metadata, created_by, actions.created_at,
updated_at
FROM {_FROM}"""
_VERSION_FROM = _FROM.replace("action_versions.id = actions.version_id", "action_versions.action_id = actions.id")
_AS_OF = _ACTION.replace(
    "version_id, actions.version", "action_versions.id AS version_id, action_versions.version"
).replace(_FROM, _VERSION_FROM)
_LISTING = Listing(_ACTION, _FROM, "actions.created_at, actions.id")


async def create(connection: Connection, id: UUID, asked: actions.CreateAction) -> bool:
    """False where there is one of that id already."""
    version_id = ids.new()
    new = await connection.fetchval(
        """INSERT INTO actions (id, workspace_id, app_id, version_id, version, created_by)
        VALUES ($1, $2, $3, $4, 1, $5) ON CONFLICT (id) DO NOTHING RETURNING true""",
        id,
        asked.workspace_id,
        asked.app_id,
        version_id,
        asked.created_by,
    )
    if new:
        await _write_version(connection, version_id, id, 1, asked, by=asked.created_by)
    return bool(new)


async def _write_version(
    connection: Connection,
    id: UUID,
    action_id: UUID,
    version: int,
    action: actions.CreateAction | actions.Action,
    *,
    by: UUID | None,
) -> None:
    await connection.execute(
        """INSERT INTO action_versions (id, action_id, version, name, kind, description, prompt, system_message,
            model_id, parameters, context_ids, metadata, tool_ids, examples, made_by)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)""",
        id,
        action_id,
        version,
        action.name,
        action.kind,
        action.description,
        action.prompt,
        action.system_message,
        action.model_id,
        action.parameters,
        action.context_ids,
        action.metadata,
        action.tool_ids,
        action.examples,
        by,
    )


async def get(connection: Connection | Database, workspace_id: UUID, id: UUID) -> actions.Action | None:
    row = await connection.fetchrow(f"{_ACTION} WHERE workspace_id = $1 AND actions.id = $2", workspace_id, id)
    return perhaps(row, actions.Action)


async def of(database: Database, asked: actions.ActionsOf) -> list[actions.Action]:
    rows = await database.fetch(
        f"{_ACTION} WHERE workspace_id = $1 AND actions.id = ANY($2)", asked.workspace_id, asked.action_ids
    )
    return [one(row, actions.Action) for row in rows]


async def of_any_workspace(database: Database, id: UUID) -> actions.Action | None:
    """For the cache, which is asked by id; whoever asks it compares the workspace."""
    row = await database.fetchrow(f"{_ACTION} WHERE actions.id = $1", id)
    return perhaps(row, actions.Action)


async def as_of(database: Database, version_id: UUID) -> actions.Action | None:
    """The action as it was in this version, of any workspace."""
    row = await database.fetchrow(f"{_AS_OF} WHERE action_versions.id = $1", version_id)
    return perhaps(row, actions.Action)


async def names(database: Database, workspace_id: UUID) -> list[tuple[UUID, str]]:
    """Of those that are not disabled in production; the oldest first."""
    rows = await database.fetch(
        f"""SELECT actions.id, name FROM {_FROM} WHERE workspace_id = $1 AND NOT EXISTS (
            SELECT 1 FROM deployments d WHERE d.action_id = actions.id AND d.environment = $2 AND d.version_id IS NULL
        ) ORDER BY actions.created_at, actions.id""",
        workspace_id,
        actions.PRODUCTION,
    )
    return [(row["id"], row["name"]) for row in rows]


async def page(database: Database, asked: actions.PageActions) -> Page[actions.Action]:
    where, args = "workspace_id = $1", [asked.workspace_id]
    if asked.app_id is not None:
        where, args = f"{where} AND app_id = $2", [*args, asked.app_id]
    return await _LISTING.page(database, actions.Action, where, asked.slice, *args)


async def lock(connection: Connection, workspace_id: UUID, id: UUID) -> actions.Action | None:
    """The action, which nobody else changes until this transaction is over."""
    await connection.execute("SELECT 1 FROM actions WHERE workspace_id = $1 AND id = $2 FOR UPDATE", workspace_id, id)
    return await get(connection, workspace_id, id)


async def renew(connection: Connection, action: actions.Action, *, by: UUID | None) -> None:
    """Writes the action's next version."""
    version_id = ids.new()
    await _write_version(connection, version_id, action.id, action.version + 1, action, by=by)
    await connection.execute(
        "UPDATE actions SET version_id = $2, version = $3, updated_at = now() WHERE id = $1",
        action.id,
        version_id,
        action.version + 1,
    )


async def delete(connection: Connection, id: UUID) -> None:
    await connection.execute("DELETE FROM actions WHERE id = $1", id)
