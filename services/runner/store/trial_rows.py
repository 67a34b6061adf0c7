"""Rows of trials: a data point each, to be tried and judged, and who does it.

A row belongs to the instance that holds it for as long as that one's lease is renewed. What is written of it is written
by its holder, once: a row that is done stays as it is.
"""

from collections.abc import Sequence
from uuid import UUID

from msgspec import Struct

from libs.contracts import evals, ids
from libs.contracts.evals import Check, Verdict
from libs.contracts.paging import Page
from libs.postgres.database import Connection, Database
from services.runner.storable import storable
from services.runner.store.evals import Trial
from services.runner.store.pages import Listing, one

# Nobody waits for the ids of more.
_AT_ONCE = 1000

_FREE = "(holder IS NULL OR holder = $1 OR holder <> ALL (ARRAY(SELECT name FROM leases WHERE until >= now())))"
# A trial has so many rows begun at once as $4 says: what its runs take of the queue is bounded.
_CLAIM = f"""
WITH open AS MATERIALIZED (
    SELECT id, (SELECT count(*) FROM trial_rows WHERE trial_id = trials.id AND status = 'begun') AS begun
    FROM trials WHERE status = 'running'
), going AS (
    SELECT row.id FROM open JOIN trial_rows AS row ON row.trial_id = open.id
    WHERE row.status = 'begun' AND due_at <= now() AND {_FREE} AND NOT EXISTS (
        SELECT FROM runs WHERE runs.id = ANY(row.waits_for) AND runs.status IN ('queued', 'running')
    )
), fresh AS (
    SELECT row.id FROM open, LATERAL (
        SELECT id FROM trial_rows WHERE trial_id = open.id AND status = 'new'
        ORDER BY id LIMIT greatest(0, $4 - open.begun)
    ) AS row
), due AS (
    SELECT id FROM trial_rows WHERE id IN (SELECT id FROM going UNION ALL SELECT id FROM fresh)
    AND status <> 'done' AND {_FREE} AND id <> ALL($3) LIMIT $2 FOR UPDATE SKIP LOCKED
), claimed AS (
    UPDATE trial_rows SET holder = $1, status = 'begun', tries = tries + 1 FROM due WHERE trial_rows.id = due.id
    RETURNING trial_rows.*
)
SELECT claimed.id, claimed.workspace_id, trial_id, point_id, answer_id, waits_for, tries,
    action_id, version_id, checks, rerun
FROM claimed JOIN trials ON trials.id = trial_id
"""
_ROW = "SELECT id, point_id, answer_id, status = 'done' AS done, passed, verdicts FROM trial_rows"
# As the data points came: their ids tell.
_LISTING = Listing(_ROW, "trial_rows", "point_id")


class Claimed(Struct, frozen=True):
    """`waits_for` are the runs, begun for it, of its last step: the answer's, or the judges'."""

    id: UUID
    workspace_id: UUID
    trial_id: UUID
    point_id: UUID
    answer_id: UUID | None
    waits_for: list[UUID]
    tries: int
    action_id: UUID
    version_id: UUID | None
    checks: list[Check]
    rerun: bool


async def put(connection: Connection, trial: Trial, points: Sequence[UUID]) -> None:
    """A row for each of them. Its id follows from the trial's, as old as that; and from it those of its runs."""
    for start in range(0, len(points), _AT_ONCE):
        batch = points[start : start + _AT_ONCE]
        await connection.execute(
            """INSERT INTO trial_rows (id, workspace_id, trial_id, point_id)
            SELECT id, $1, $2, point_id FROM unnest($3::uuid[], $4::uuid[]) AS given (id, point_id)""",
            trial.workspace_id,
            trial.id,
            [ids.derived(trial.id, place) for place, _ in enumerate(batch, start + 1)],
            batch,
        )


async def claim(database: Database, holder: str, *, limit: int, busy: Sequence[UUID], begun: int) -> list[Claimed]:
    """Rows that are due, and none that the caller itself is `busy` with; `begun` of a trial at once, at most."""
    return [one(row, Claimed) for row in await database.fetch(_CLAIM, holder, limit, list(busy), begun)]


async def name_runs(database: Database, row: Claimed, holder: str, runs: Sequence[UUID]) -> bool:
    """These runs are the row's own, begun or not. False where it is no longer the holder's."""
    done = await database.execute(
        """UPDATE trial_rows SET run_ids = ARRAY(SELECT DISTINCT unnest(run_ids || $3))
        WHERE id = $1 AND holder = $2 AND status = 'begun'""",
        row.id,
        holder,
        list(runs),
    )
    return done.endswith("1")


async def wait(database: Database, row: Claimed, holder: str, *, answer_id: UUID, runs: Sequence[UUID]) -> None:
    """The row goes on once these runs have ended, which were begun for it."""
    await database.execute(
        """UPDATE trial_rows SET holder = NULL, tries = 0, answer_id = $3, waits_for = $4
        WHERE id = $1 AND holder = $2 AND status = 'begun'""",
        row.id,
        holder,
        answer_id,
        list(runs),
    )


async def finish(
    database: Database, row: Claimed, holder: str, *, answer_id: UUID | None, verdicts: list[Verdict]
) -> None:
    """It has passed where every verdict is that it has; where one could not be told, nothing is known of it."""
    told = [verdict.passed for verdict in verdicts]
    await database.execute(
        """UPDATE trial_rows SET status = 'done', holder = NULL, answer_id = $3, verdicts = $4, passed = $5
        WHERE id = $1 AND holder = $2 AND status = 'begun'""",
        row.id,
        holder,
        answer_id,
        [storable(verdict) for verdict in verdicts],
        False if False in told else None if None in told else True,
    )


async def postpone(database: Database, row: Claimed, holder: str, *, seconds: float, counted: bool = True) -> None:
    """To be tried again after so long; `counted`, as one of the tries that it gets."""
    await database.execute(
        """UPDATE trial_rows SET holder = NULL, due_at = now() + $3 * interval '1 second',
            tries = greatest(0, tries - $4)
        WHERE id = $1 AND holder = $2 AND status = 'begun'""",
        row.id,
        holder,
        seconds,
        int(not counted),
    )


async def page(database: Database, asked: evals.PageRows) -> Page[evals.Row]:
    where = "workspace_id = $1 AND trial_id = $2"
    return await _LISTING.page(database, evals.Row, where, asked.slice, asked.workspace_id, asked.trial_id)
