"""Mail in Postgres: one function per statement.

A claim lasts as long as an attempt may take and a little more; what its holder has not settled by then is somebody
else's to do.
"""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from libs.postgres.database import Connection, Database
from libs.postgres.text import clean
from services.webhook_dispatcher.mail.message import Mail
from services.webhook_dispatcher.mail.outcome import Outcome

# A claim looks at so many due ones, so that one workspace's do not hide the others'.
_SIGHT = 1000
_FREE = "status = 'queued' AND due_at <= now() AND (claimed_until IS NULL OR claimed_until < now())"
_COLUMNS = (
    "id, message_id, workspace_id, automation_id, run_id, recipient, recipients, subject, text, created_at,"
    " attempts + 1 AS number"
)


async def add(connection: Connection, mails: Sequence[Mail]) -> None:
    """What is there already stays as it is."""
    await connection.executemany(
        """
        INSERT INTO mails
            (id, message_id, workspace_id, automation_id, run_id, recipient, recipients, subject, text, created_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT DO NOTHING
        """,
        [
            (
                mail.id,
                mail.message_id,
                mail.workspace_id,
                mail.automation_id,
                mail.run_id,
                mail.recipient,
                mail.recipients,
                clean(mail.subject),
                clean(mail.text),
                mail.created_at,
            )
            for mail in mails
        ],
    )


async def claim(database: Database, limit: int, *, seconds: float) -> list[Mail]:
    """One of each workspace's after the other, the longest due first; those too whose holder is no more."""
    rows = await database.fetch(
        f"""
        WITH due AS (
            SELECT id, workspace_id, due_at FROM mails WHERE {_FREE} ORDER BY due_at LIMIT $3
        ), turns AS (
            SELECT id, due_at, row_number() OVER (PARTITION BY workspace_id ORDER BY due_at) AS turn FROM due
        ), chosen AS (
            SELECT id FROM mails WHERE id IN (SELECT id FROM turns ORDER BY turn, due_at LIMIT $1) AND {_FREE}
            FOR UPDATE SKIP LOCKED
        )
        UPDATE mails SET claimed_until = now() + make_interval(secs => $2) FROM chosen WHERE mails.id = chosen.id
        RETURNING {_COLUMNS.replace("id,", "mails.id,", 1)}
        """,
        limit,
        seconds,
        _SIGHT,
    )
    return [Mail(**row) for row in rows]


async def settle(connection: Connection, outcome: Outcome) -> bool:
    """Whether it counts: what comes too late, when another process has taken over, changes nothing but for a success.

    Of one that has ended, what it said and whom it was for is kept no longer.
    """
    changed = await connection.fetchval(
        """
        UPDATE mails SET status = $2, attempts = $3, claimed_until = NULL,
            due_at = now() + make_interval(secs => coalesce($4::float8, 0)),
            recipient = CASE WHEN $2 = 'queued' THEN recipient ELSE '' END,
            recipients = CASE WHEN $2 = 'queued' THEN recipients ELSE '{}' END,
            subject = CASE WHEN $2 = 'queued' THEN subject ELSE '' END,
            text = CASE WHEN $2 = 'queued' THEN text ELSE '' END
        WHERE id = $1 AND status = 'queued' AND ($2 = 'sent' OR attempts = $3 - 1) RETURNING true
        """,
        outcome.mail.id,
        outcome.status,
        outcome.mail.number,
        outcome.retry_in,
    )
    return bool(changed)


async def log(connection: Connection, outcome: Outcome) -> None:
    """Of a mail that was erased meanwhile there is no log."""
    await connection.execute(
        """
        INSERT INTO mail_attempts (mail_id, number, at, latency_ms, code, error)
        SELECT id, $2, $3, $4, $5, $6 FROM mails WHERE id = $1 FOR KEY SHARE ON CONFLICT DO NOTHING
        """,
        outcome.mail.id,
        outcome.mail.number,
        outcome.at,
        outcome.latency_ms,
        outcome.code,
        clean(outcome.error),
    )


async def erase(connection: Connection, workspace_id: UUID, before: datetime | None = None) -> None:
    """The workspace's mail from before then, or all of it: what was not sent yet is not sent any more."""
    await connection.execute(
        "DELETE FROM mails WHERE workspace_id = $1 AND ($2::timestamptz IS NULL OR created_at < $2)",
        workspace_id,
        before,
    )
