"""Guests: who may use the default workspace without an API key of it, as the environment says.

The default workspace is the oldest one, looked up in a cache that rests on the `changes` table. A guest's key opens one
voice alone, so that it may stand in a public page.
"""

import hmac
from uuid import UUID

from libs.contracts import ids
from libs.postgres.changes import Changes
from libs.postgres.database import Database
from services.gateway.directory import store
from services.gateway.directory.callers import Caller, digest

# What is noted as changed where the oldest workspace may be another one.
WORKSPACES, OLDEST = "workspaces", "oldest"


class Guests:
    """`keys` are taken beside the directory's; `anyone`: no key is needed."""

    def __init__(self, database: Database, changes: Changes, keys: list[str], *, anyone: bool) -> None:
        self.anyone = anyone
        self._database = database
        self._default = changes.cache(WORKSPACES, self._load)
        self._digests = [digest(key) for key in keys]

    async def of(self, key: str) -> Caller | None:
        """Whom this key, or none at all where it is empty, makes a guest. Raises Fault UNAVAILABLE."""
        welcome = any(hmac.compare_digest(digest(key), known) for known in self._digests) if key else self.anyone
        workspace_id = await self.workspace_id() if welcome else None
        return None if workspace_id is None else Caller(workspace_id, None, ids.NONE)

    async def workspace_id(self) -> UUID | None:
        """The default workspace; None before there is any. Raises Fault UNAVAILABLE."""
        return await self._default.get(OLDEST)

    async def _load(self, _: str) -> UUID | None:
        async with self._database.acquire() as connection:
            return await store.oldest_workspace(connection)


def listed(*settings: str) -> list[str]:
    """The keys of some settings, each a list with commas."""
    return [key for setting in settings for part in setting.split(",") if (key := part.strip())]
