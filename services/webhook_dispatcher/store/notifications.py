"""Notifications in Postgres: one function per statement."""

from collections.abc import Sequence
from uuid import UUID

from libs.contracts import notifications
from libs.contracts.paging import Slice
from libs.postgres.database import Connection, Database
from libs.postgres.text import clean
from services.webhook_dispatcher.notices import Notice


async def tell(connection: Connection, notices: Sequence[Notice]) -> None:
    """Each under its id; one that is there already says so once more, and is unread again."""
    told = sorted(notices, key=lambda notice: notice.id)
    await connection.execute(
        """
        INSERT INTO notifications (id, workspace_id, type, title, body, metadata, times, about)
        SELECT id, workspace_id, type, title, body, metadata, times, string_to_array(about, ' ')::uuid[]
        FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::jsonb[], $7::int[], $8::text[])
            AS told (id, workspace_id, type, title, body, metadata, times, about)
        ON CONFLICT (id) DO UPDATE
        SET body = excluded.body, metadata = excluded.metadata, times = notifications.times + excluded.times,
            about = excluded.about, read = false, created_at = excluded.created_at
        """,
        [notice.id for notice in told],
        [notice.workspace_id for notice in told],
        [notice.type for notice in told],
        [notice.title for notice in told],
        [clean(notice.body) for notice in told],
        [notice.metadata for notice in told],
        [notice.times for notice in told],
        [" ".join(map(str, notice.about)) for notice in told],
    )


async def page(
    database: Database, workspace_id: UUID, slice: Slice, *, unread: bool
) -> list[notifications.Notification]:
    rows = await database.fetch(
        """
        SELECT id, workspace_id, type, title, body, metadata, times, read, created_at FROM notifications
        WHERE workspace_id = $1 AND (NOT $2 OR NOT read) ORDER BY created_at DESC, id OFFSET $3 LIMIT $4
        """,
        workspace_id,
        unread,
        slice.offset,
        slice.limit,
    )
    return [notifications.Notification(**row) for row in rows]


async def totals(database: Database | Connection, workspace_id: UUID) -> tuple[int, int]:
    """All of them, and the unread ones."""
    row = await database.fetchrow(
        "SELECT count(*), count(*) FILTER (WHERE NOT read) FROM notifications WHERE workspace_id = $1", workspace_id
    )
    assert row is not None
    return row[0], row[1]


async def mark(connection: Connection, workspace_id: UUID, ids: Sequence[UUID] | None) -> int:
    """None stands for all. How many were unread."""
    marked = await connection.fetch(
        """
        UPDATE notifications SET read = true
        WHERE workspace_id = $1 AND NOT read AND ($2::uuid[] IS NULL OR id = ANY($2)) RETURNING id
        """,
        workspace_id,
        None if ids is None else list(ids),
    )
    return len(marked)
