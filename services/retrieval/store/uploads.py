"""Uploads in Postgres."""

from typing import Any
from uuid import UUID

from msgspec import Struct

from libs.contracts import files
from libs.postgres.database import Connection, Database
from libs.postgres.text import clean

_COLUMNS = "id, workspace_id, name, blob, size"


class Finished(Struct, frozen=True):
    """`size` is in bytes."""

    name: str
    blob: str
    size: int


async def insert(
    database: Database, id: UUID, given: files.BeginUpload, *, blob: str, max_bytes: int
) -> files.Upload | None:
    """None where there is one of that id already."""
    row = await database.fetchrow(
        f"""
        INSERT INTO uploads (id, workspace_id, name, blob) VALUES ($1, $2, $3, $4)
        ON CONFLICT (id) DO NOTHING RETURNING {_COLUMNS}
        """,
        id,
        given.workspace_id,
        clean(given.name),
        blob,
    )
    return _upload(row, max_bytes) if row else None


async def get(
    connection: Connection | Database, workspace_id: UUID, id: UUID, *, max_bytes: int
) -> files.Upload | None:
    row = await connection.fetchrow(
        f"SELECT {_COLUMNS} FROM uploads WHERE workspace_id = $1 AND id = $2", workspace_id, id
    )
    return _upload(row, max_bytes) if row else None


async def finish(database: Database, given: files.FinishUpload, *, max_bytes: int) -> files.Upload | None:
    row = await database.fetchrow(
        f"UPDATE uploads SET size = $3 WHERE workspace_id = $1 AND id = $2 RETURNING {_COLUMNS}",
        given.workspace_id,
        given.upload_id,
        given.size,
    )
    return _upload(row, max_bytes) if row else None


async def finished(connection: Connection, workspace_id: UUID, ids: list[UUID]) -> dict[UUID, Finished]:
    rows = await connection.fetch(
        "SELECT id, name, blob, size FROM uploads WHERE workspace_id = $1 AND id = ANY($2) AND size IS NOT NULL",
        workspace_id,
        ids,
    )
    return {row["id"]: Finished(row["name"], row["blob"], row["size"]) for row in rows}


async def old(database: Database, *, unfinished_hours: int, finished_hours: int, limit: int) -> dict[UUID, str]:
    """Uploads whose time is up, with their blobs."""
    rows = await database.fetch(
        """
        SELECT id, blob FROM uploads
        WHERE created_at < now() - CASE WHEN size IS NULL THEN $1::int ELSE $2::int END * interval '1 hour'
        ORDER BY created_at LIMIT $3
        """,
        unfinished_hours,
        finished_hours,
        limit,
    )
    return {row["id"]: row["blob"] for row in rows}


async def forget(database: Database, ids: list[UUID]) -> None:
    await database.execute("DELETE FROM uploads WHERE id = ANY($1)", ids)


async def delete(connection: Connection, workspace_id: UUID, limit: int) -> list[str]:
    """Up to `limit` of a workspace's. Their blobs."""
    rows = await connection.fetch(
        """
        DELETE FROM uploads WHERE id IN (SELECT id FROM uploads WHERE workspace_id = $1 LIMIT $2) RETURNING blob
        """,
        workspace_id,
        limit,
    )
    return [row["blob"] for row in rows]


async def forget_blobs(database: Database, blobs: list[str]) -> None:
    """Uploads whose content is gone."""
    await database.execute("DELETE FROM uploads WHERE blob = ANY($1)", blobs)


def _upload(row: Any, max_bytes: int) -> files.Upload:
    return files.Upload(row["id"], row["workspace_id"], row["name"], row["blob"], max_bytes, row["size"] is not None)
