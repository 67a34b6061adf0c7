"""Runs that have ended, as they are corrected."""

from uuid import UUID

import msgspec

from libs.contracts.runs import Run
from libs.postgres.database import Connection
from services.runner.runs.frames import Recorded
from services.runner.store.runs import RUN_COLUMNS


async def lock(connection: Connection, workspace_id: UUID, id: UUID) -> Run | None:
    """The run, which nobody else changes until this transaction is over."""
    row = await connection.fetchrow(
        f"SELECT {', '.join(RUN_COLUMNS)} FROM runs WHERE id = $1 AND workspace_id = $2 FOR UPDATE", id, workspace_id
    )
    return None if row is None else msgspec.convert(dict(row), Run)


async def amend(connection: Connection, run: Run, text: Recorded | None) -> None:
    """`text` where the output is another one: what was thought for the one before goes."""
    await connection.execute(
        """UPDATE runs SET inputs = $2, prompt = $3, output = $4, usage = $5, metadata = $6, model = $7, provider = $8,
            latency_ms = $9, frames = coalesce($10, frames),
            thinking = CASE WHEN $10::bytea IS NULL THEN thinking ELSE '' END
        WHERE id = $1""",
        run.id,
        run.inputs,
        run.prompt,
        run.output,
        run.usage,
        run.metadata,
        run.model,
        run.provider,
        run.latency_ms,
        text and text.cut,
    )
