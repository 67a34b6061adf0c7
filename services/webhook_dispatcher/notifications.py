"""Notifications: listed, and marked as read.

Owner: webhook_dispatcher.
"""

from libs.contracts import notifications
from libs.postgres.database import Database
from services.webhook_dispatcher.store import notifications as store


class Notifications:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def page(self, request: notifications.PageNotifications) -> notifications.Notifications:
        items = await store.page(self._database, request.workspace_id, request.slice, unread=request.unread)
        total, unread = await store.totals(self._database, request.workspace_id)
        return notifications.Notifications(items, unread if request.unread else total, unread)

    async def read(self, request: notifications.MarkRead) -> notifications.Marked:
        async with self._database.transaction() as connection:
            updated = await store.mark(connection, request.workspace_id, request.ids)
            _, unread = await store.totals(connection, request.workspace_id)
        return notifications.Marked(updated, unread)
