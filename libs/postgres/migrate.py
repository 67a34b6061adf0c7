"""Migrations: the .sql files of a package's `migrations` folder, each applied once, in the order of their names.

Owner: libs.postgres; the files are their services'. The rule: an applied file never changes again, and it suits the
version before it (`0007_pre_x.sql` expands, `0008_post_x.sql` contracts once that one is gone).
"""

import hashlib
import logging
from importlib import resources

import asyncpg
from msgspec import Struct

from libs.postgres.database import Connection, Database
from libs.postgres.upkeep import upkeep

SHARED = "libs.postgres"
SECONDS = 3600.0

log = logging.getLogger(__name__)

_TABLE = """
CREATE TABLE IF NOT EXISTS migrations (
    package text NOT NULL,
    name text NOT NULL,
    checksum text NOT NULL,
    at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (package, name)
)
"""


class MigrationError(Exception):
    """The schema and the files don't agree, or a file failed; the message says what to do."""


class Migration(Struct, frozen=True):
    name: str
    sql: str

    @property
    def checksum(self) -> str:
        return hashlib.sha256(self.sql.encode()).hexdigest()


async def migrate(database: Database, *packages: str) -> None:
    """Bring the schema up to the files of libs.postgres and then of `packages`. Several processes may call it at once.

    Raises MigrationError, and Fault UNAVAILABLE while the server is away.
    """
    for package in (SHARED, *packages):
        files = _files(package)
        while await _apply_next(database, package, files):
            pass
    await upkeep(database)


def _files(package: str) -> list[Migration]:
    folder = resources.files(package) / "migrations"
    if not folder.is_dir():
        return []
    found = [Migration(file.name, file.read_text("utf-8")) for file in folder.iterdir() if file.name.endswith(".sql")]
    return sorted(found, key=lambda file: file.name)


async def _apply_next(database: Database, package: str, files: list[Migration]) -> bool:
    """Apply the first file that is not applied yet, in a transaction of its own; False where there is none."""
    async with database.transaction() as connection:
        await _take_turns(connection)
        applied = await _applied(connection, package)
        _check(package, files, applied)
        pending = next((file for file in files if file.name not in applied), None)
        if pending is not None:
            await _apply(connection, package, pending)
        return pending is not None


async def _take_turns(connection: Connection) -> None:
    """The lock ends with its transaction, so that it works behind PgBouncer and dies with its holder."""
    await connection.execute(
        "SELECT pg_advisory_xact_lock(hashtextextended(current_schema || '.migrations', 0))", timeout=SECONDS
    )


async def _applied(connection: Connection, package: str) -> dict[str, str]:
    await connection.execute(_TABLE)
    rows = await connection.fetch("SELECT name, checksum FROM migrations WHERE package = $1 ORDER BY name", package)
    return {row["name"]: row["checksum"] for row in rows}


async def _apply(connection: Connection, package: str, file: Migration) -> None:
    try:
        await connection.execute(file.sql, timeout=SECONDS)
    except asyncpg.PostgresError as error:
        raise MigrationError(f"{package}/migrations/{file.name} failed and was undone: {error}") from error
    await connection.execute(
        "INSERT INTO migrations (package, name, checksum) VALUES ($1, $2, $3)", package, file.name, file.checksum
    )
    log.info("applied %s/migrations/%s", package, file.name)


def _check(package: str, files: list[Migration], applied: dict[str, str]) -> None:
    """Files newer than all of ours were applied by a newer version, with which this one runs side by side."""
    ours = {file.name: file.checksum for file in files}
    newest = max(ours, default="")
    for name, checksum in applied.items():
        where = f"{package}/migrations/{name}"
        if name in ours and ours[name] != checksum:
            raise MigrationError(
                f"{where} was changed after it was applied: restore it and put the change in a new file."
            )
        if name not in ours and name < newest:
            raise MigrationError(f"{where} was applied but is missing here: restore the file.")
        if name not in ours:
            log.warning("%s was applied by a newer version of this service", where)
