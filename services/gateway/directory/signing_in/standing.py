"""Standings: an account in a workspace, as of its password. What a token says, and what its holder's streams hang on.

The rule: whoever changes a password or a membership says in the same transaction which standings that may end or begin.
"""

from uuid import UUID

from msgspec import Struct

from libs.postgres import changes
from libs.postgres.database import Connection
from services.gateway.directory.signing_in import store

STANDINGS = "standings"
_BETWEEN = "."


class Standing(Struct, frozen=True):
    """It holds while the account is a member, and its password has not been changed since."""

    account_id: UUID
    workspace_id: UUID
    generation: int

    @property
    def text(self) -> str:
        return _BETWEEN.join((self.account_id.hex, self.workspace_id.hex, str(self.generation)))


def is_one(text: str) -> bool:
    """Rather than the hash of a key."""
    return _BETWEEN in text


def parse(text: str) -> Standing:
    account, workspace, generation = text.split(_BETWEEN)
    return Standing(UUID(account), UUID(workspace), int(generation))


async def changed(connection: Connection, *, account_id: UUID | None = None, workspace_id: UUID | None = None) -> None:
    """Have every process look again at the standings of an account, or in a workspace, or at the one of both."""
    for row in await store.memberships(connection, account_id=account_id, workspace_id=workspace_id):
        standing = Standing(row.account_id, row.workspace_id, row.generation)
        await changes.changed(connection, STANDINGS, standing.text)
