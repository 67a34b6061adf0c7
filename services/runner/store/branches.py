"""Branches: sessions that begin with the turns of another, up to the one that they go on from.

`sessions.followed` is the last turn that has been followed by what was to be the session's next one.
"""

from uuid import UUID

from msgspec import Struct

from libs.contracts import runs
from libs.postgres.database import Connection, Database
from services.runner.store.pages import perhaps


class Place(Struct, frozen=True):
    """A run as a place to go on from: `session_id` and `turn` are None where it is no turn of a session there is."""

    run_id: UUID
    status: runs.Status
    session_id: UUID | None
    turn: int | None


async def place(database: Database, workspace_id: UUID, run_id: UUID) -> Place | None:
    row = await database.fetchrow(
        """SELECT r.id AS run_id, r.status, t.session_id, t.turn
        FROM runs r LEFT JOIN turns t ON t.session_id = r.session_id AND t.turn = r.turn
        WHERE r.id = $2 AND r.workspace_id = $1""",
        workspace_id,
        run_id,
    )
    return perhaps(row, Place)


async def follow(connection: Connection, session_id: UUID, turn: int) -> bool:
    """Whether this is the last turn, and nobody has followed it yet."""
    followed = await connection.fetchval(
        "UPDATE sessions SET followed = $2 WHERE id = $1 AND turns = $2 AND followed < $2 RETURNING true",
        session_id,
        turn,
    )
    return bool(followed)


async def branch(connection: Connection, id: UUID, session_id: UUID, turn: int) -> None:
    """The session `id`, with the turns of another up to this one; nothing where there is one of that id already."""
    await connection.execute(
        """WITH made AS (
            INSERT INTO sessions (id, workspace_id, action_id, name, end_user, created_by, turns, followed)
            SELECT $1, workspace_id, action_id, name, end_user, created_by, $3, $3 FROM sessions WHERE id = $2
            ON CONFLICT (id) DO NOTHING RETURNING id
        )
        INSERT INTO turns (session_id, turn, run_id)
        SELECT made.id, turns.turn, turns.run_id FROM made, turns WHERE session_id = $2 AND turn <= $3""",
        id,
        session_id,
        turn,
    )


async def begin(connection: Connection, id: UUID, place: Place) -> None:
    """The session `id`, whose first turn is a run that had none; nothing where there is one of that id already."""
    await connection.execute(
        """WITH made AS (
            INSERT INTO sessions (id, workspace_id, action_id, name, end_user, turns, followed)
            SELECT $1, workspace_id, action_id, '', end_user, 1, 1 FROM runs WHERE id = $2
            ON CONFLICT (id) DO NOTHING RETURNING id
        ), first AS (INSERT INTO turns (session_id, turn, run_id) SELECT id, 1, $2 FROM made)
        UPDATE runs SET session_id = made.id, turn = 1 FROM made WHERE runs.id = $2 AND runs.session_id IS NULL""",
        id,
        place.run_id,
    )
