"""A command that works straight on a service's schema: it needs POSTGRES_DSN, and says what it did or what is wrong.

Exit codes: 0 done, 1 not done, with one line on stderr that says why, 2 for bad settings.
"""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from typing import Annotated

import asyncpg
from msgspec import Meta, Struct

from libs.contracts.faults import Fault
from libs.postgres.database import Database
from libs.runtime.commands import answers
from libs.runtime.commands.answers import Answer
from libs.runtime.settings import load


class _Settings(Struct, frozen=True):
    postgres_dsn: Annotated[str, Meta(description="postgresql://role:password@host:5432/database")]
    postgres_statement_cache_size: Annotated[int, Meta(ge=0, description="a whole number from 0")] = 100


def answered(service: str, work: Callable[[Database], Awaitable[Answer]], *, json: bool) -> int:
    """Do `work` on the service's database and print its answer; the exit code."""
    settings = load(_Settings)
    try:
        answer = asyncio.run(_done(service, settings, work))
    except (Fault, ValueError, asyncpg.PostgresError) as error:
        sys.stderr.write(f"{_said(error)}\n")
        return 1
    sys.stdout.write(answers.as_json(answer) if json else answers.as_table(answer))
    return 0


async def _done(service: str, settings: _Settings, work: Callable[[Database], Awaitable[Answer]]) -> Answer:
    cache = settings.postgres_statement_cache_size
    database = await Database.connect(settings.postgres_dsn, schema=service, pool_size=1, statement_cache_size=cache)
    try:
        return await work(database)
    finally:
        await database.close()


def _said(error: Exception) -> str:
    """In one line: the field that it is about, what is wrong, and what is behind that."""
    field = getattr(error, "field", None)
    said = f"{field}: {error}" if field else str(error)
    return f"{said.rstrip('.')}: {error.__cause__}" if error.__cause__ else said
