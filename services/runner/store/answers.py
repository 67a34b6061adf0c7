"""Which finished run answers a like one again. The newest counts; a run that was deleted answers nothing."""

from uuid import UUID

from libs.postgres.database import Connection, Database


async def find(database: Database, workspace_id: UUID, key: bytes) -> UUID | None:
    return await database.fetchval("SELECT run_id FROM answers WHERE workspace_id = $1 AND key = $2", workspace_id, key)


async def put(connection: Connection, answers: dict[tuple[UUID, bytes], UUID]) -> None:
    ordered = sorted(answers.items())
    await connection.execute(
        """INSERT INTO answers (workspace_id, key, run_id) SELECT * FROM unnest($1::uuid[], $2::bytea[], $3::uuid[])
        ON CONFLICT (workspace_id, key) DO UPDATE SET run_id = excluded.run_id, created_at = now()""",
        [workspace_id for (workspace_id, _), _ in ordered],
        [key for (_, key), _ in ordered],
        [run_id for _, run_id in ordered],
    )
