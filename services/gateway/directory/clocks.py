"""Clocks: the time zone of a workspace, and which day it is there. Postgres knows them all, by their IANA names."""

from datetime import date
from uuid import UUID

from msgspec import Struct

from libs.contracts import workspaces
from libs.contracts.faults import Code, Fault
from libs.postgres import outbox
from libs.postgres.database import Connection, Database

_IS_ONE = "SELECT EXISTS (SELECT 1 FROM pg_timezone_names WHERE name = $1 AND name !~ '^(posix|right)')"


class Clock(Struct, frozen=True):
    timezone: str
    today: date


async def clock(connection: Connection | Database, workspace_id: UUID) -> Clock:
    """Of a workspace that is no more: UTC's."""
    row = await connection.fetchrow(
        """SELECT timezone, (now() AT TIME ZONE timezone)::date AS today
        FROM (SELECT coalesce((SELECT timezone FROM workspaces WHERE id = $1), 'UTC') AS timezone) AS its""",
        workspace_id,
    )
    assert row is not None
    return Clock(**row)


async def set_timezone(connection: Connection, workspace_id: UUID, timezone: str) -> None:
    """And states so. Raises Fault INVALID for one that there is not."""
    if not await connection.fetchval(_IS_ONE, timezone):
        raise Fault(Code.INVALID, f"{timezone!r} is no time zone: expected a name as Europe/Rome.", field="timezone")
    await connection.execute(
        "UPDATE workspaces SET timezone = $2, updated_at = now() WHERE id = $1", workspace_id, timezone
    )
    await outbox.state(connection, workspaces.TIMEZONE_CHANGED, [workspaces.TimezoneChanged(workspace_id, timezone)])
