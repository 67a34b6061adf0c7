"""The operator's commands: `python -m services.gateway admin …`, straight on the gateway's tables.

They need POSTGRES_DSN alone, may be repeated (what is there already stays), and say what they did as a table or,
with --json, as JSON.
"""

import asyncio
import sys
from collections.abc import Sequence
from typing import Annotated

from msgspec import Meta, Struct

from libs.contracts.faults import Fault
from libs.postgres.database import Database
from libs.postgres.migrate import migrate
from libs.runtime import settings
from services.gateway.directory.admin import arguments, output
from services.gateway.directory.admin.arguments import Command
from services.gateway.directory.admin.output import Answer


class _Settings(Struct, frozen=True):
    postgres_dsn: Annotated[str, Meta(description="postgresql://gateway:password@host:5432/database")]
    postgres_statement_cache_size: int = 100


def main(argv: Sequence[str]) -> int:
    """The exit code: 0, or 1 with one line on stderr that says what is wrong."""
    command = arguments.parse(argv)
    try:
        answer = asyncio.run(_run(command))
    except (Fault, ValueError) as error:
        field = getattr(error, "field", None)
        sys.stderr.write(f"{field}: {error}\n" if field else f"{error}\n")
        return 1
    sys.stdout.write(output.as_json(answer) if command.options.json else output.as_table(answer))
    return 0


async def _run(command: Command) -> Answer:
    wanted = settings.load(_Settings)
    cache = wanted.postgres_statement_cache_size
    database = await Database.connect(wanted.postgres_dsn, schema="gateway", pool_size=1, statement_cache_size=cache)
    try:
        await migrate(database, "services.gateway")
        return await command.work(database, command.options)
    finally:
        await database.close()
