"""Sessions, as they are stored, and the turns that they remember."""

from collections.abc import Sequence
from uuid import UUID

from msgspec import Struct

from libs.contracts import sessions
from libs.contracts.paging import Page
from libs.postgres.database import Connection, Database
from services.runner.store.pages import Listing, perhaps

_SESSION = "SELECT id, workspace_id, action_id, name, end_user, created_by, created_at, updated_at FROM sessions"
_LISTING = Listing(_SESSION, "sessions", "created_at, id")
# No model takes in more turns than this, nor more text.
_MOST_TURNS = 200
_MOST_BYTES = 4_000_000


class Turn(Struct, frozen=True):
    question: str
    answer: str
    run_id: UUID


class Memory(Struct, frozen=True):
    """A session's earlier turns, newest first; `erased` is how often turns of it had been erased by then."""

    workspace_id: UUID
    erased: int
    turns: list[Turn]


class Given(Struct, frozen=True):
    """The last turn that was given out in a session, and how often turns of it have been erased."""

    turn: int
    erased: int


class Opened(Struct, frozen=True):
    """A session that begins with its first run."""

    id: UUID
    workspace_id: UUID
    action_id: UUID
    name: str
    end_user: str


async def create(database: Database, id: UUID, asked: sessions.CreateSession) -> None:
    await database.execute(
        """INSERT INTO sessions (id, workspace_id, action_id, name, end_user, created_by)
        VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (id) DO NOTHING""",
        id,
        asked.workspace_id,
        asked.action_id,
        asked.name,
        asked.end_user,
        asked.created_by,
    )


async def open(connection: Connection, opened: Sequence[Opened]) -> None:
    """Makes those that aren't there yet."""
    await connection.execute(
        """INSERT INTO sessions (id, workspace_id, action_id, name, end_user)
        SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::text[]) ON CONFLICT (id) DO NOTHING""",
        *([getattr(session, name) for session in opened] for name in Opened.__struct_fields__),
    )


async def get(database: Database, workspace_id: UUID, id: UUID) -> sessions.Session | None:
    row = await database.fetchrow(f"{_SESSION} WHERE workspace_id = $1 AND id = $2", workspace_id, id)
    return perhaps(row, sessions.Session)


async def page(database: Database, asked: sessions.PageSessions) -> Page[sessions.Session]:
    where = "workspace_id = $1 AND ($2::uuid IS NULL OR action_id = $2) AND ($3::text IS NULL OR end_user = $3)"
    args = asked.workspace_id, asked.action_id, asked.end_user
    return await _LISTING.page(database, sessions.Session, where, asked.slice, *args)


async def delete(database: Database | Connection, workspace_id: UUID, id: UUID) -> None:
    await database.execute("DELETE FROM sessions WHERE workspace_id = $1 AND id = $2", workspace_id, id)


async def memories(database: Database, ids: list[UUID]) -> dict[UUID, Memory]:
    """What each of these sessions remembers. Turns that failed are left out, and those that wait for the result of a
    call: whoever tells it says again what was asked.

    Each turn's run is looked up by its id: joined, a plan made while the tables were small reads all of them.
    """
    rows = await database.fetch(
        """SELECT s.id, s.workspace_id, s.erased, m.question, m.output, m.run_id
        FROM sessions s LEFT JOIN LATERAL (
            SELECT t.turn, t.run_id, r.question, r.output,
                sum(octet_length(r.question) + octet_length(r.output)) OVER (ORDER BY t.turn DESC) AS bytes
            FROM turns t CROSS JOIN LATERAL (
                SELECT question, output, status, calls FROM runs WHERE id = t.run_id LIMIT 1
            ) r
            WHERE t.session_id = s.id AND r.status <> 'failed' AND r.output <> '' AND r.calls = '[]'
            ORDER BY t.turn DESC LIMIT $2
        ) m ON m.bytes <= $3
        WHERE s.id = ANY($1) ORDER BY s.id, m.turn DESC""",
        ids,
        _MOST_TURNS,
        _MOST_BYTES,
    )
    found: dict[UUID, Memory] = {}
    for id, workspace_id, erased, question, output, run_id in rows:
        memory = found.setdefault(id, Memory(workspace_id, erased, []))
        if question is not None:
            memory.turns.append(Turn(question, output, run_id))
    return found


async def still_turns(connection: Connection, run_ids: Sequence[UUID]) -> set[UUID]:
    """Those of the runs that a session remembers."""
    rows = await connection.fetch("SELECT DISTINCT run_id FROM turns WHERE run_id = ANY($1)", list(run_ids))
    return {row["run_id"] for row in rows}


async def next_turns(connection: Connection, counts: dict[UUID, int]) -> dict[UUID, Given]:
    """Gives out so many turns of each session and returns the last one given; a session that is gone has none.

    The sessions are locked in one order, so that two runners never wait for each other.
    """
    rows = await connection.fetch(
        """WITH locked AS MATERIALIZED (SELECT id FROM sessions WHERE id = ANY($1) ORDER BY id FOR UPDATE)
        UPDATE sessions SET turns = turns + given.count, updated_at = now()
        FROM unnest($1::uuid[], $2::int[]) AS given(id, count) JOIN locked USING (id)
        WHERE sessions.id = given.id RETURNING sessions.id, turns, erased""",
        list(counts),
        list(counts.values()),
    )
    return {row["id"]: Given(row["turns"], row["erased"]) for row in rows}
