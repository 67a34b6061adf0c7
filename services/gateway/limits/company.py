"""The company: how many processes of the gateway there are.

Each says once a second that it is there. The rule: the size of a block goes by it, and nothing that has to be right.
"""

import asyncio

from libs.postgres.database import Database
from libs.postgres.patience import for_ever
from services.gateway.limits import store

_CALL_SECONDS = 1.0
_SEEN_SECONDS = 4.0


class Company:
    """`name` is this process's own. `size` counts it as well."""

    def __init__(self, database: Database, name: str) -> None:
        self.name, self.size = name, 2  # there may be another, until it was seen that there is none
        self._database = database.pulse

    async def run(self) -> None:
        """For ever."""
        await for_ever(self.call, lambda: asyncio.sleep(_CALL_SECONDS), waits="The other gateways can't be seen")

    async def call(self) -> None:
        self.size = await store.roll_call(self._database, self.name, _SEEN_SECONDS)

    async def leave(self) -> None:
        await store.leave(self._database, self.name)
