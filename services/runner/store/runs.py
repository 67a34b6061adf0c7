"""Runs, as they are stored: written at their start without haste, and at their end in one batch with what else ended.

The rule: a run's row belongs to its holder and attempt, and what has ended stays as it is.
"""

from datetime import datetime
from uuid import UUID

import msgspec
from asyncpg import Record
from msgspec import Struct

from libs.contracts import runs
from libs.contracts.paging import Page
from libs.postgres.database import Connection, Database
from services.runner.runs.frames import Recorded
from services.runner.store.pages import Listing

_json = msgspec.json.Encoder()


class Row(Struct):
    """A run as its row, its fields in the order of the columns; JSON is encoded already."""

    id: UUID
    workspace_id: UUID
    action_id: UUID
    app_id: UUID
    action_version: int
    session_id: UUID | None
    turn: int | None
    status: str
    mode: str
    voice: str
    holder: str
    attempt: int
    model: str
    provider: str
    end_user: str
    experiment: str | None
    cached_from: UUID | None
    inputs: str
    question: str
    prompt: str
    output: str
    thinking: str
    frames: bytes | None
    request: bytes | None
    usage: str
    finish_reason: str
    sources: str
    metadata: str
    failure: str | None
    latency_ms: float | None
    first_token_ms: float | None
    created_at: datetime
    finished_at: datetime | None
    model_id: UUID
    calls: str = "[]"
    variant_id: UUID | None = None


def encoded(value: object) -> str:
    """As a column of JSON is given."""
    return _json.encode(value).decode()


_JSON = frozenset({"inputs", "prompt", "usage", "sources", "metadata", "failure", "calls"})
_TYPES = {
    UUID: "uuid", UUID | None: "uuid", int: "int", int | None: "int", str: "text", str | None: "text",
    bytes | None: "bytea", float | None: "float8", datetime: "timestamptz", datetime | None: "timestamptz",
}  # fmt: skip
_FIELDS = msgspec.structs.fields(Row)
_COLUMNS = ", ".join(field.name for field in _FIELDS)
_VALUES = ", ".join(f"{field.name}::jsonb" if field.name in _JSON else field.name for field in _FIELDS)
_ARRAYS = ", ".join(f"${place}::{_TYPES[field.type]}[]" for place, field in enumerate(_FIELDS, 1))
_INSERT = f"INSERT INTO runs ({_COLUMNS}) SELECT {_VALUES} FROM unnest({_ARRAYS}) AS given ({_COLUMNS})"
# What a run has from its start on, its end doesn't change; but one that waited may have begun with a newer version.
_ENDED = (
    "action_version", "question", "turn", "status", "model", "provider", "cached_from", "prompt", "output", "thinking",
    "frames", "usage", "finish_reason", "sources", "metadata", "failure", "latency_ms", "first_token_ms", "finished_at",
    "calls",
)  # fmt: skip
_FINISH = f"""WITH finished AS ({_INSERT}
ON CONFLICT (id) DO UPDATE SET {", ".join(f"{name} = excluded.{name}" for name in _ENDED)}, request = NULL
WHERE runs.holder = excluded.holder AND runs.attempt = excluded.attempt AND runs.status IN ('queued', 'running')
RETURNING id, session_id, turn),
remembered AS (INSERT INTO turns (session_id, turn, run_id) SELECT session_id, turn, id FROM finished WHERE turn > 0)
SELECT id FROM finished"""
_START = f"{_INSERT} ON CONFLICT (id) DO NOTHING RETURNING id"


async def start(connection: Connection, rows: list[Row]) -> set[UUID]:
    """The ids of those that were new."""
    return await _put(connection, _START, rows)


async def finish(connection: Connection, rows: list[Row]) -> set[UUID]:
    """Writes runs and their turns: those that still are their holder's, whose ids it returns."""
    return await _put(connection, _FINISH, rows)


async def _put(connection: Connection, statement: str, rows: list[Row]) -> set[UUID]:
    # In one order, so that two batches never wait for each other.
    rows.sort(key=lambda row: row.id.int)
    columns = zip(*map(msgspec.structs.astuple, rows), strict=True)
    return {record["id"] for record in await connection.fetch(statement, *columns)}


class Kept(Struct, frozen=True):
    """A run as it was stored, with how its text was cut into frames once it has ended."""

    run: runs.Run
    frames: bytes | None


RUN_COLUMNS = [field.name for field in msgspec.structs.fields(runs.Run)]
_RUN = f"SELECT {', '.join(RUN_COLUMNS)} FROM runs"
_LISTING = Listing(_RUN, "runs", "id DESC")
# No run is newer.
_LAST = UUID(int=(1 << 128) - 1)


async def get(database: Database, ids: list[UUID]) -> dict[UUID, Kept]:
    """Those of the runs that there are, in any workspace: whoever asks compares it."""
    rows = await database.fetch(f"SELECT {', '.join(RUN_COLUMNS)}, frames FROM runs WHERE id = ANY($1)", ids)
    return {row["id"]: Kept(_run(row), row["frames"]) for row in rows}


async def of_dataset(
    database: Database, workspace_id: UUID, dataset_id: UUID, *, before: UUID | None, limit: int
) -> list[Kept]:
    """Newest first, those that are older than `before`."""
    rows = await database.fetch(
        f"""SELECT {", ".join(RUN_COLUMNS)}, frames FROM runs WHERE workspace_id = $3 AND id = ANY(ARRAY(
            SELECT run_id FROM dataset_runs WHERE dataset_id = $1 AND run_id < $2 ORDER BY run_id DESC LIMIT $4
        )) ORDER BY id DESC""",
        dataset_id,
        before or _LAST,
        workspace_id,
        limit,
    )
    return [Kept(_run(row), row["frames"]) for row in rows]


class Standing(Struct, frozen=True):
    """Where a run stands, without what was said. `version` is its row's: another one, where anything of it changed."""

    id: UUID
    workspace_id: UUID
    status: runs.Status
    holder: str
    attempt: int
    version: str


async def standing(database: Database, ids: list[UUID]) -> dict[UUID, Standing]:
    """Those of the runs that there are, in any workspace: whoever asks compares it."""
    rows = await database.fetch(
        "SELECT id, workspace_id, status, holder, attempt, xmin::text AS version FROM runs WHERE id = ANY($1)", ids
    )
    return {row["id"]: msgspec.convert(dict(row), Standing) for row in rows}


class Told(Struct, frozen=True):
    """What was said in a run that has ended; a run that ran elsewhere has no frames."""

    attempt: int
    version: str
    recorded: Recorded | None


async def told(database: Database, ids: list[UUID]) -> dict[UUID, Told]:
    """Those of the runs that there are and that have ended."""
    rows = await database.fetch(
        """SELECT id, attempt, xmin::text AS version, output, thinking, frames FROM runs
        WHERE id = ANY($1) AND status NOT IN ('queued', 'running')""",
        ids,
    )
    return {row["id"]: Told(row["attempt"], row["version"], _recorded(row)) for row in rows}


def _recorded(row: Record) -> Recorded | None:
    return None if row["frames"] is None else Recorded(row["output"], row["thinking"], row["frames"])


def _run(row: Record) -> runs.Run:
    return msgspec.convert(dict(row), runs.Run)


async def page(database: Database, asked: runs.PageRuns) -> Page[runs.Run]:
    """Newest first."""
    conditions, args = ["workspace_id = $1"], [asked.workspace_id]
    for column, value in (("action_id", asked.action_id), ("app_id", asked.app_id), ("session_id", asked.session_id)):
        if value is not None:
            args.append(value)
            conditions.append(f"{column} = ${len(args)}")
    if asked.dataset_id is not None:
        args.append(asked.dataset_id)
        conditions.append(f"id IN (SELECT run_id FROM dataset_runs WHERE dataset_id = ${len(args)})")
    return await _LISTING.page(database, runs.Run, " AND ".join(conditions), asked.slice, *args)
