"""The roles of deploy/postgres-roles.sql."""

import asyncpg
import pytest

from deploy.local import postgres
from tests.support import servers

pytestmark = pytest.mark.asyncio


async def test_a_role_works_in_its_schema_without_naming_it(databases):
    connection = await asyncpg.connect(databases.dsn("runner"))
    await connection.execute("CREATE TABLE runs (id int)")
    assert await connection.fetchval("SELECT schemaname FROM pg_tables WHERE tablename = 'runs'") == "runner"
    await connection.close()


async def test_a_role_sees_no_other_schema(databases):
    connection = await asyncpg.connect(databases.dsn("feedback"))
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await connection.execute("SELECT * FROM runner.runs")
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await connection.execute("CREATE TABLE public.intruder (id int)")
    await connection.close()


async def test_the_roles_can_be_made_again(databases):
    await postgres.make_roles(databases.url, servers.PASSWORDS)
    connection = await asyncpg.connect(databases.dsn("gateway"))
    assert await connection.fetchval("SELECT current_schema") == "gateway"
    await connection.close()
