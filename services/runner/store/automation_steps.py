"""Steps of automations' runs, as they are stored, and who works on them.

A step belongs to the instance that holds it for as long as that one's lease is renewed. What is written of it is
written by its holder, once: a step that has ended stays as it is.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, get_args
from uuid import UUID

from msgspec import Struct

from libs.contracts import ids
from libs.contracts.automation_runs import StepRun, StepStatus
from libs.contracts.automation_steps import Kind, Step
from libs.contracts.faults import Failure
from libs.postgres.database import Connection, Database
from services.runner.store.pages import one

_ROW = """SELECT id, position, name, kind ->> 'type' AS type, status, output, failure, action_run_id,
    CASE WHEN status = 'waiting' THEN due_at END AS due_at, started_at, finished_at FROM automation_steps"""
_OPEN = "status IN ('running', 'waiting')"
_LIVE = "ARRAY(SELECT name FROM leases WHERE until >= now())"
# Workspace by workspace, so that none waits behind another's backlog. Of each so many steps are worked on at once as $4
# says, by all processes together; what this one holds and is not busy with ($3) it left undone. Kinds that it does not
# know ($5) are left to runners of a newer version.
_CLAIM = f"""
WITH RECURSIVE spaces AS (
    (SELECT workspace_id FROM automation_steps WHERE {_OPEN} ORDER BY workspace_id LIMIT 1)
    UNION ALL
    SELECT (
        SELECT next.workspace_id FROM automation_steps AS next
        WHERE {_OPEN} AND next.workspace_id > spaces.workspace_id ORDER BY next.workspace_id LIMIT 1
    ) FROM spaces WHERE workspace_id IS NOT NULL
), held AS MATERIALIZED (
    SELECT workspace_id, count(*) AS steps FROM automation_steps
    WHERE holder IS NOT NULL AND holder = ANY ({_LIVE}) AND (holder <> $1 OR id = ANY ($3)) GROUP BY workspace_id
), open AS (
    SELECT free.id, free.due_at FROM spaces LEFT JOIN held USING (workspace_id), LATERAL (
        SELECT id, due_at FROM automation_steps AS step
        WHERE {_OPEN} AND step.workspace_id = spaces.workspace_id AND due_at <= now() AND id <> ALL ($3)
        AND kind ->> 'type' = ANY ($5) AND (holder IS NULL OR holder = $1 OR holder <> ALL ({_LIVE})) AND NOT EXISTS (
            SELECT FROM runs WHERE runs.id = step.action_run_id AND runs.status IN ('queued', 'running')
        )
        ORDER BY due_at LIMIT greatest(0, $4 - coalesce(held.steps, 0))
    ) AS free
), due AS (
    SELECT id, status AS was FROM automation_steps
    WHERE id IN (SELECT id FROM open ORDER BY due_at LIMIT $2) AND {_OPEN}
    AND (holder IS NULL OR holder = $1 OR holder <> ALL ({_LIVE})) FOR UPDATE SKIP LOCKED
), claimed AS (
    UPDATE automation_steps SET holder = $1, status = 'running', tries = tries + 1,
        started_at = coalesce(started_at, now())
    FROM due WHERE automation_steps.id = due.id RETURNING automation_steps.*, was = 'waiting' AS waited
)
SELECT claimed.id, claimed.workspace_id, run_id, position, name, kind, action_run_id, waited, tries,
    claimed.started_at, automation_id, automation_name, payload, contact_id, chain, sealed_headers
FROM claimed JOIN automation_runs ON automation_runs.id = run_id
"""
# The end of a run wakes the step that waits for it; were it not heard of, it would be seen after so long.
_LOOK_SECONDS = 15.0

_KINDS = [str(kind.__struct_config__.tag) for kind in get_args(Kind)]


class Planned(Struct, frozen=True):
    """The steps that a run begins with."""

    workspace_id: UUID
    run_id: UUID
    steps: list[Step]


class Claimed(Struct, frozen=True):
    """A step whose turn it is, with what its run began with. `tries` counts this one, since it last went on; `waited`:
    what it waited for has come.
    """

    id: UUID
    workspace_id: UUID
    run_id: UUID
    position: int
    name: str
    kind: Kind
    action_run_id: UUID | None
    waited: bool
    tries: int
    started_at: datetime
    automation_id: UUID
    automation_name: str
    payload: dict[str, Any]
    contact_id: UUID | None
    chain: list[UUID]
    sealed_headers: bytes | None


async def put(connection: Connection, planned: Sequence[Planned]) -> None:
    """A row for each of their steps, whose ids follow from the run's; it is the first ones' turn."""
    rows = [(run, place, step) for run in planned for place, step in enumerate(run.steps)]
    await connection.execute(
        """INSERT INTO automation_steps (id, workspace_id, run_id, position, name, kind, status, due_at)
        SELECT id, workspace_id, run_id, position, name, kind, CASE position WHEN 0 THEN 'running' ELSE 'pending' END,
            CASE position WHEN 0 THEN now() END
        FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::int[], $5::text[], $6::jsonb[])
            AS planned (id, workspace_id, run_id, position, name, kind)""",
        [ids.derived(run.run_id, place + 1) for run, place, _ in rows],
        [run.workspace_id for run, _, _ in rows],
        [run.run_id for run, _, _ in rows],
        [place for _, place, _ in rows],
        [step.name for _, _, step in rows],
        [step.kind for _, _, step in rows],
    )


async def claim(database: Database, holder: str, *, limit: int, busy: Sequence[UUID], each: int) -> list[Claimed]:
    """Steps that are due, and none that the caller itself is `busy` with; `each` of a workspace at once, at most."""
    return [one(row, Claimed) for row in await database.fetch(_CLAIM, holder, limit, list(busy), each, _KINDS)]


async def answered(connection: Connection, action_run_ids: Sequence[UUID]) -> bool:
    """The steps that wait for these runs are due. False where none does."""
    done = await connection.execute(
        f"UPDATE automation_steps SET due_at = least(due_at, now()) WHERE action_run_id = ANY($1) AND {_OPEN}",
        list(action_run_ids),
    )
    return not done.endswith(" 0")


async def of(database: Database, run_id: UUID) -> list[StepRun]:
    rows = await database.fetch(f"{_ROW} WHERE run_id = $1 ORDER BY position", run_id)
    return [one(row, StepRun) for row in rows]


async def outputs(database: Database, run_id: UUID) -> dict[str, dict[str, Any]]:
    """What the steps that were carried out came to, by their names."""
    rows = await database.fetch(
        "SELECT name, output FROM automation_steps WHERE run_id = $1 AND status = 'completed'", run_id
    )
    return {row["name"]: row["output"] for row in rows}


async def name_run(database: Database, step: Claimed, holder: str, action_run_id: UUID) -> UUID | None:
    """The id under which the step's action runs, now and whenever it is tried again; None where the step is lost."""
    return await database.fetchval(
        """UPDATE automation_steps SET action_run_id = coalesce(action_run_id, $3)
        WHERE id = $1 AND holder = $2 AND status = 'running' RETURNING action_run_id""",
        step.id,
        holder,
        action_run_id,
    )


async def wait(database: Database, step: Claimed, holder: str, *, until: datetime | None = None) -> None:
    """Until a moment, or for the run of its action to end, which it may have done meanwhile."""
    await database.execute(
        """UPDATE automation_steps SET status = 'waiting', holder = NULL, tries = 0, due_at = coalesce($3, CASE
            WHEN EXISTS (SELECT FROM runs WHERE runs.id = action_run_id AND runs.status NOT IN ('queued', 'running'))
            THEN now() ELSE now() + $4 * interval '1 second' END)
        WHERE id = $1 AND holder = $2 AND status = 'running'""",
        step.id,
        holder,
        until,
        _LOOK_SECONDS,
    )


async def postpone(database: Database, step: Claimed, holder: str, *, seconds: float, counted: bool = True) -> None:
    """To be tried again after so long; `counted`, as one of the tries that it gets."""
    await database.execute(
        """UPDATE automation_steps SET holder = NULL, due_at = now() + $3 * interval '1 second',
            tries = greatest(0, tries - $4)
        WHERE id = $1 AND holder = $2 AND status = 'running'""",
        step.id,
        holder,
        seconds,
        int(not counted),
    )


async def end(
    connection: Connection,
    step: Claimed,
    holder: str,
    *,
    output: dict[str, Any] | None = None,
    failure: Failure | None = None,
) -> bool:
    """As completed, or failed where there is a `failure`. False where it is no longer the holder's."""
    done = await connection.execute(
        """UPDATE automation_steps SET status = $3, output = $4, failure = $5, holder = NULL, due_at = NULL,
            finished_at = now()
        WHERE id = $1 AND holder = $2 AND status = 'running'""",
        step.id,
        holder,
        StepStatus.COMPLETED if failure is None else StepStatus.FAILED,
        output or {},
        failure,
    )
    return done.endswith("1")


async def skip(connection: Connection, run_id: UUID, *, after: int, count: int | None = None) -> None:
    """The next `count` steps after a position, or all of them."""
    await connection.execute(
        """UPDATE automation_steps SET status = 'skipped'
        WHERE run_id = $1 AND status = 'pending' AND position > $2 AND ($3::int IS NULL OR position <= $2 + $3)""",
        run_id,
        after,
        count,
    )


async def begin_next(connection: Connection, run_id: UUID) -> bool:
    """It is the next step's turn. False where there is none."""
    begun = await connection.fetchval(
        """UPDATE automation_steps SET status = 'running', due_at = now() WHERE run_id = $1 AND position = (
            SELECT min(position) FROM automation_steps WHERE run_id = $1 AND status = 'pending'
        ) RETURNING true""",
        run_id,
    )
    return bool(begun)
