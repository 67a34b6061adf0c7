"""Datasets, as they are stored, and the runs that they hold."""

from collections.abc import Sequence
from uuid import UUID

from libs.contracts import datasets
from libs.contracts.paging import Page
from libs.postgres.database import Connection, Database
from services.runner.store.tables import Table

TABLE = Table("datasets", datasets.Dataset, "dataset")


async def page(database: Database, asked: datasets.PageDatasets) -> Page[datasets.Dataset]:
    where = "($2::uuid IS NULL OR app_id = $2)"
    return await TABLE.page(database, asked.workspace_id, asked.slice, where, asked.app_id)


async def add(connection: Connection, workspace_id: UUID, id: UUID, run_ids: Sequence[UUID]) -> set[UUID]:
    """Those of the runs that the workspace has."""
    rows = await connection.fetch(
        """WITH known AS MATERIALIZED (SELECT id FROM runs WHERE workspace_id = $1 AND id = ANY($3)), added AS (
            INSERT INTO dataset_runs (dataset_id, run_id) SELECT $2, id FROM known ON CONFLICT DO NOTHING
        )
        SELECT id FROM known""",
        workspace_id,
        id,
        list(run_ids),
    )
    return {row["id"] for row in rows}


async def remove(connection: Connection, id: UUID, run_ids: Sequence[UUID]) -> None:
    await connection.execute("DELETE FROM dataset_runs WHERE dataset_id = $1 AND run_id = ANY($2)", id, list(run_ids))
