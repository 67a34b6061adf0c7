"""The operator's commands: `python -m services.gateway admin …`, straight on the gateway's tables.

They need POSTGRES_DSN alone, may be repeated (what is there already stays), and say what they did as a table or,
with --json, as JSON.
"""

from collections.abc import Sequence

from libs.postgres.database import Database
from libs.postgres.migrate import migrate
from libs.runtime.commands.answers import Answer
from libs.runtime.commands.connected import answered
from services.gateway.directory.admin import arguments


def main(argv: Sequence[str]) -> int:
    """The exit code: 0, or 1 with one line on stderr that says what is wrong."""
    command = arguments.parse(argv)

    async def work(database: Database) -> Answer:
        await migrate(database, "services.gateway")
        return await command.work(database, command.options)

    return answered("gateway", work, json=command.options.json)
