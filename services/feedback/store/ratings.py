"""Ratings of experiments' runs in Postgres."""

from collections.abc import Sequence
from uuid import UUID

from msgspec import Struct

from libs.postgres.database import Connection, Database


class Given(Struct, frozen=True):
    """The variant that a run was given."""

    run_id: UUID
    workspace_id: UUID
    experiment_id: UUID
    variant_id: UUID


class Counted(Struct, frozen=True):
    variant_id: UUID
    negative: int
    positive: int


async def add(connection: Connection, given: Sequence[Given]) -> None:
    await connection.execute(
        """
        INSERT INTO variants (run_id, workspace_id, experiment_id, variant_id)
        SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[]) ON CONFLICT DO NOTHING
        """,
        *([getattr(one, name) for one in given] for name in Given.__struct_fields__),
    )


async def of(database: Database, workspace_id: UUID, experiment_id: UUID) -> list[Counted]:
    """A run that was rated several times counts as it was rated last."""
    rows = await database.fetch(
        """
        WITH last AS (
            SELECT DISTINCT ON (run_id) variant_id, value
            FROM variants JOIN feedback USING (workspace_id, run_id)
            WHERE workspace_id = $1 AND experiment_id = $2 AND type = 'rating'
            ORDER BY run_id, updated_at DESC, id DESC
        )
        SELECT variant_id, count(*) FILTER (WHERE value IN ('1', '"1"')) AS negative,
               count(*) FILTER (WHERE value IN ('2', '"2"')) AS positive
        FROM last GROUP BY variant_id ORDER BY variant_id
        """,
        workspace_id,
        experiment_id,
    )
    return [Counted(**row) for row in rows]
