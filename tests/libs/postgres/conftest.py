"""A migrated schema for the libraries' tests."""

import pytest_asyncio

from libs.postgres.database import Database
from libs.postgres.migrate import migrate


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def runner(databases):
    """The runner's database, with the tables that every service has."""
    database = await Database.connect(databases.dsn("runner"), schema="runner", pool_size=4)
    await migrate(database)
    yield database
    await database.close()
