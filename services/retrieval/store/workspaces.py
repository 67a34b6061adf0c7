"""What there still is of a workspace that was deleted."""

from uuid import UUID

from libs.postgres.database import Connection


async def a_context(connection: Connection, workspace_id: UUID) -> UUID | None:
    return await connection.fetchval("SELECT id FROM contexts WHERE workspace_id = $1 LIMIT 1", workspace_id)


async def end_context(connection: Connection, workspace_id: UUID, id: UUID) -> None:
    await connection.execute("DELETE FROM contexts WHERE workspace_id = $1 AND id = $2", workspace_id, id)
