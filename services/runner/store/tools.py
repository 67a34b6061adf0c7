"""Tools, as they are stored. Their headers are sealed: whoever calls a tool opens them."""

from uuid import UUID

from asyncpg import Record
from msgspec import Struct

from libs.contracts import tools
from libs.contracts.paging import Page
from libs.postgres.database import Connection, Database
from services.runner.store.pages import Listing, one

_TOOL = """SELECT tools.id, tools.workspace_id, tools.name, tools.description, tools.parameters, tools.kind,
    coalesce((SELECT jsonb_object_agg(name, '…') FROM unnest(header_names) AS name), '{}') AS headers, tools.timeout,
    tools.metadata, tools.created_by, tools.created_at, tools.updated_at, sealed_headers"""
_FROM = "tools"
_ROW = f"{_TOOL} FROM {_FROM}"
_LISTING = Listing(_ROW, _FROM, "tools.created_at, tools.id")
_ATTACHED = """tools JOIN (
    SELECT given.id AS attached, given.place FROM actions JOIN action_versions ON action_versions.id = version_id,
        unnest(tool_ids) WITH ORDINALITY AS given (id, place) WHERE actions.workspace_id = $1 AND actions.id = $2
) AS attached ON attached = tools.id"""
_ATTACHED_LISTING = Listing(f"{_TOOL} FROM {_ATTACHED}", _ATTACHED, "place")


class Stored(Struct, frozen=True):
    """A tool with what is secret about it."""

    tool: tools.Tool
    sealed_headers: bytes | None


async def put(connection: Connection, tool: tools.Tool, sealed_headers: bytes | None) -> None:
    """Writes a tool, or writes it anew."""
    await connection.execute(
        """INSERT INTO tools (id, workspace_id, name, description, parameters, kind, header_names, sealed_headers,
            timeout, metadata, created_by)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
        ON CONFLICT (id) DO UPDATE SET name = $3, description = $4, parameters = $5, kind = $6, header_names = $7,
            sealed_headers = $8, timeout = $9, metadata = $10, updated_at = now()""",
        tool.id,
        tool.workspace_id,
        tool.name,
        tool.description,
        tool.parameters,
        tool.kind,
        list(tool.headers),
        sealed_headers,
        tool.timeout,
        tool.metadata,
        tool.created_by,
    )


async def get(database: Database, workspace_id: UUID, id: UUID) -> tools.Tool | None:
    """One of the workspace's, or of the installation's."""
    found = await of_any_workspace(database, id)
    return found.tool if found and found.tool.workspace_id in (workspace_id, None) else None


async def of_any_workspace(database: Connection | Database, id: UUID) -> Stored | None:
    """For the cache, which is asked by id; whoever asks it compares the workspace."""
    row = await database.fetchrow(f"{_ROW} WHERE tools.id = $1", id)
    return None if row is None else _stored(row)


async def lock(connection: Connection, id: UUID) -> Stored | None:
    """The tool, which nobody else changes until this transaction is over."""
    row = await connection.fetchrow(f"{_ROW} WHERE tools.id = $1 FOR UPDATE", id)
    return None if row is None else _stored(row)


async def page(database: Database, asked: tools.PageTools) -> Page[tools.Tool]:
    if asked.action_id is not None:
        where = "tools.workspace_id = $1 OR tools.workspace_id IS NULL"
        return await _ATTACHED_LISTING.page(
            database, tools.Tool, where, asked.slice, asked.workspace_id, asked.action_id
        )
    where = "workspace_id = $1 OR workspace_id IS NULL"
    return await _LISTING.page(database, tools.Tool, where, asked.slice, asked.workspace_id)


async def delete(connection: Connection, id: UUID) -> None:
    await connection.execute("DELETE FROM tools WHERE id = $1", id)


def _stored(row: Record) -> Stored:
    return Stored(one(row, tools.Tool), row["sealed_headers"])
