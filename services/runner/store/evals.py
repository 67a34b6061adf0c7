"""Evals and their trials, as they are stored, and what a trial's rows came to."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from msgspec import Struct

from libs.contracts import evals
from libs.contracts.evals import Check, Status, Tally
from libs.postgres.database import Connection, Database
from services.runner.store.pages import one
from services.runner.store.tables import Table

# Without a dataset, so many of the action's newest data points are judged.
NEWEST = 1000


class Summary(Struct, frozen=True):
    """What a trial came to, in numbers alone."""

    total: int = 0
    done: int = 0
    rows: Tally = Tally()
    by_check: list[Tally] = []


class Trial(Struct, frozen=True):
    """`summary` is None while it goes on."""

    id: UUID
    workspace_id: UUID
    eval_id: UUID
    number: int
    action_id: UUID
    version_id: UUID | None
    version: int | None
    dataset_id: UUID | None
    checks: list[Check]
    rerun: bool
    status: Status
    summary: Summary | None
    created_by: UUID | None
    created_at: datetime
    finished_at: datetime | None
    alert_on_fail: bool


TABLE = Table("evals", evals.Eval, "eval")
TRIALS = Table("trials", Trial, "eval run", order="number DESC")


async def next_number(connection: Connection, eval_id: UUID) -> int:
    """Of the eval's next trial; the eval is locked."""
    return await connection.fetchval("SELECT 1 + coalesce(max(number), 0) FROM trials WHERE eval_id = $1", eval_id)


async def points(connection: Connection, trial: Trial, sampling: float) -> list[UUID]:
    """Which data points a trial takes: by chance, but the same ones every time that it is asked."""
    among = "SELECT run_id AS id FROM dataset_runs WHERE dataset_id = $2"
    if trial.dataset_id is None:
        among = f"""SELECT id FROM runs WHERE workspace_id = $1 AND action_id = $2 AND status = 'succeeded'
            AND voice <> 'eval' ORDER BY id DESC LIMIT {NEWEST}"""
    rows = await connection.fetch(
        f"""SELECT id FROM ({among}) AS point JOIN runs USING (id)
        WHERE workspace_id = $1
            AND (hashtextextended(id::text, hashtextextended($4, 0)) & 1048575) < $3::float8 * 1048576
        ORDER BY id""",
        trial.workspace_id,
        trial.dataset_id or trial.action_id,
        sampling,
        str(trial.id),
    )
    return [row["id"] for row in rows]


async def summaries(database: Database | Connection, trials: Sequence[Trial]) -> dict[UUID, Summary]:
    """Of trials that go on, as far as they have come."""
    ids = [trial.id for trial in trials]
    found: dict[UUID, Summary] = {}
    checked = await _by_check(database, ids)
    for row in await database.fetch(
        """SELECT trial_id, count(*) AS total, count(*) FILTER (WHERE status = 'done') AS done,
            count(*) FILTER (WHERE passed) AS passed, count(*) FILTER (WHERE NOT passed) AS failed,
            count(*) FILTER (WHERE status = 'done' AND passed IS NULL) AS errors
        FROM trial_rows WHERE trial_id = ANY($1) GROUP BY trial_id""",
        ids,
    ):
        rows = Tally(row["passed"], row["failed"], row["errors"])
        found[row["trial_id"]] = Summary(row["total"], row["done"], rows, checked.get(row["trial_id"], []))
    return found


async def _by_check(database: Database | Connection, ids: list[UUID]) -> dict[UUID, list[Tally]]:
    rows = await database.fetch(
        """SELECT trial_id, count(*) FILTER (WHERE verdict ->> 'passed' = 'true') AS passed,
            count(*) FILTER (WHERE verdict ->> 'passed' = 'false') AS failed,
            count(*) FILTER (WHERE verdict ->> 'passed' IS NULL) AS errors,
            avg((verdict ->> 'score')::float8) AS score
        FROM trial_rows, jsonb_array_elements(verdicts) WITH ORDINALITY AS told (verdict, place)
        WHERE trial_id = ANY($1) AND status = 'done' GROUP BY trial_id, place ORDER BY trial_id, place""",
        ids,
    )
    found: dict[UUID, list[Tally]] = {}
    for row in rows:
        found.setdefault(row["trial_id"], []).append(Tally(row["passed"], row["failed"], row["errors"], row["score"]))
    return found


async def finished(database: Database) -> list[Trial]:
    """Trials that go on, and have no row any more that does."""
    rows = await database.fetch(
        """SELECT * FROM trials WHERE status = 'running'
        AND NOT EXISTS (SELECT FROM trial_rows WHERE trial_id = trials.id AND status <> 'done')"""
    )
    return [one(row, Trial) for row in rows]


async def finish(connection: Connection, id: UUID, summary: Summary) -> bool:
    """False where another process has."""
    finished = await connection.fetchval(
        """UPDATE trials SET status = 'finished', finished_at = now(), summary = $2
        WHERE id = $1 AND status = 'running' RETURNING true""",
        id,
        summary,
    )
    return bool(finished)


async def any_goes_on(database: Database) -> bool:
    return await database.fetchval("SELECT EXISTS (SELECT FROM trials WHERE status = 'running')")
