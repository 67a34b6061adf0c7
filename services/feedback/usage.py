"""Usage: what each workspace's runs took, by the UTC day on which they finished.

Owner: feedback. Counted from the events of finished runs, which are heard once each; a late one lands on its own day.
"""

from libs.bus.hear import Heard
from libs.contracts import runs, usage
from libs.postgres.database import Connection, Database
from services.feedback.store import usage as store


class Usage:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def of(self, request: usage.UsageOf) -> list[usage.Day]:
        return await store.days(self._database, request)


async def count(connection: Connection, heard: list[Heard[runs.RunFinished]]) -> None:
    await store.add(connection, [event.fact for event in heard])
