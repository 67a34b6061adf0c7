"""How many finished runs, each with its event in the outbox, one process commits durably with 32 writers at once.

Counted as rows: a run and its event are two. Postgres is durable here (fsync on), and alone on its core.
"""

import asyncio
import time
from datetime import UTC, datetime
from statistics import median

from libs.contracts import ids, runs
from libs.postgres import outbox
from libs.postgres.database import Connection, Database
from libs.postgres.group_commit import GroupCommit
from libs.postgres.migrate import migrate
from services.runner.store import runs as stored
from tests.support import servers

WRITERS, SECONDS, REPEATS = 32, 5.0, 3
WORKSPACE, ACTION, APP = ids.new(), ids.new(), ids.new()


def finished() -> stored.Row:
    now = datetime.now(UTC)
    return stored.Row(
        id=ids.new(),
        workspace_id=WORKSPACE,
        action_id=ACTION,
        app_id=APP,
        action_version=1,
        session_id=None,
        turn=None,
        status="succeeded",
        mode="blocking",
        voice="klu",
        holder="bench",
        attempt=1,
        model="model",
        provider="provider",
        end_user="",
        experiment=None,
        cached_from=None,
        inputs='{"word":"something"}',
        question="Hi",
        prompt="[]",
        output="word " * 40,
        thinking="",
        frames=None,
        request=None,
        usage="{}",
        finish_reason="stop",
        sources="[]",
        metadata="{}",
        failure=None,
        latency_ms=12.0,
        first_token_ms=3.0,
        created_at=now,
        finished_at=now,
        model_id=APP,
    )


def fact(row: stored.Row) -> runs.RunFinished:
    return runs.RunFinished(
        workspace_id=row.workspace_id,
        run_id=row.id,
        action_id=row.action_id,
        status=runs.Status.SUCCEEDED,
        mode=runs.Mode.BLOCKING,
        voice=row.voice,
        model=row.model,
        provider=row.provider,
        usage=runs.Usage(20, 40),
        finished_at=row.created_at,
    )


async def write(connection: Connection, rows: list[stored.Row]) -> None:
    await stored.finish(connection, rows)
    await outbox.state(connection, runs.FINISHED, [fact(row) for row in rows])


async def stretch(database: Database) -> float:
    commits, written = GroupCommit(database, write), 0
    deadline = time.monotonic() + SECONDS

    async def writer() -> None:
        nonlocal written
        while time.monotonic() < deadline:
            await commits.add(finished())
            written += 2

    await asyncio.gather(*(writer() for _ in range(WRITERS)))
    return written / SECONDS


async def committed_per_second() -> float:
    with servers.postgres_server(fsync=True) as admin:
        async with servers.database(admin) as databases:
            database = await Database.connect(databases.dsn("runner"), schema="runner")
            await migrate(database, "services.runner")
            figures = [await stretch(database) for _ in range(REPEATS)]
            await database.close()
            return median(figures)
