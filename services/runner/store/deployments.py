"""Versions of actions, and where each is deployed, as they are stored."""

from uuid import UUID

from libs.contracts import actions
from libs.contracts.faults import not_found
from libs.contracts.paging import Page
from libs.postgres.database import Connection, Database
from services.runner.store.pages import Listing, one

_FROM = """action_versions AS v JOIN actions ON actions.id = v.action_id LEFT JOIN LATERAL (
    SELECT array_agg(environment ORDER BY environment) AS environments, max(at) AS deployed_at
    FROM deployments WHERE version_id = v.id
) AS d ON true"""
_VERSION = f"""SELECT v.id, v.action_id, v.version, v.made_by, v.created_at, deployed_at,
coalesce(environments, '{{}}') AS environments FROM {_FROM}"""
_LISTING = Listing(_VERSION, _FROM, "v.version DESC")


async def page(database: Database, asked: actions.PageVersions) -> Page[actions.Version]:
    """The newest first."""
    where = "actions.workspace_id = $1 AND v.action_id = $2"
    return await _LISTING.page(database, actions.Version, where, asked.slice, asked.workspace_id, asked.action_id)


async def named(connection: Connection | Database, asked: actions.DeployVersion) -> actions.Version | None:
    """The one that is to be deployed: by its id, or by its number where it has none."""
    row = await connection.fetchrow(
        f"{_VERSION} WHERE actions.workspace_id = $1 AND v.action_id = $2 AND (v.id = $3 OR v.version = $4)",
        asked.workspace_id,
        asked.action_id,
        asked.version_id,
        asked.number,
    )
    return None if row is None else one(row, actions.Version)


async def found(database: Connection | Database, asked: actions.DeployVersion) -> actions.Version:
    """Raises Fault NOT_FOUND."""
    version = await named(database, asked)
    if version is None:
        raise not_found("version", asked.number if asked.version_id is None else asked.version_id)
    return version


async def deploy(connection: Connection, action_id: UUID, environment: str, id: UUID, *, by: UUID | None) -> None:
    await connection.execute(
        """INSERT INTO deployments (action_id, environment, version_id, made_by) VALUES ($1, $2, $3, $4)
        ON CONFLICT (action_id, environment) DO UPDATE SET version_id = $3, made_by = $4, at = now()""",
        action_id,
        environment,
        id,
        by,
    )


async def disable(connection: Connection, action_id: UUID, environments: list[str]) -> None:
    """Lets nothing run in these environments."""
    await connection.execute(
        """INSERT INTO deployments (action_id, environment) SELECT $1, unnest($2::text[])
        ON CONFLICT (action_id, environment) DO UPDATE SET version_id = NULL, at = now()""",
        action_id,
        environments,
    )


async def of(database: Connection | Database, action_id: UUID) -> dict[str, UUID | None]:
    """The version in each environment that has ever had one; None where the action is disabled."""
    rows = await database.fetch("SELECT environment, version_id FROM deployments WHERE action_id = $1", action_id)
    return {row["environment"]: row["version_id"] for row in rows}
