"""The gateway's own schema, and the commands that work on it."""

import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
import pytest_asyncio

from libs.contracts.faults import Fault
from libs.postgres.database import Database
from libs.postgres.migrate import migrate
from libs.runtime.commands import answers
from services.gateway.directory.admin import arguments
from tests.support.servers import Databases


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def database(databases: Databases) -> AsyncIterator[Database]:
    database = await Database.connect(databases.dsn("gateway"), schema="gateway", pool_size=4)
    await migrate(database, "services.gateway")
    yield database
    await database.close()


@pytest.fixture
def admin(database: Database) -> Callable[..., Awaitable[tuple[int, Any, str]]]:
    """`await admin("keys", "list")`: exit code, what is printed with --json, and what is complained of."""

    async def command(*words: str) -> tuple[int, Any, str]:
        given = arguments.parse([*words, "--json"])
        try:
            answer = await given.work(database, given.options)
        except Fault as fault:
            return 1, None, fault.message
        return 0, json.loads(answers.as_json(answer)), ""

    return command


def run_admin(databases: Databases, *words: str) -> "subprocess.CompletedProcess[str]":
    """The command as an operator runs it."""
    environ = os.environ | {"POSTGRES_DSN": databases.dsn("gateway")}
    command = [sys.executable, "-m", "services.gateway", "admin", *words]
    return subprocess.run(command, env=environ, capture_output=True, text=True, timeout=60, check=False)
