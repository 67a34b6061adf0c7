"""Bootstrap: an installation's first account, workspace and key, made once however often it is asked for."""

import asyncio

from msgspec import Struct

from libs.postgres.database import Connection, Database
from services.gateway.directory import keys, passwords, people, store

KEY_NAME = "bootstrap"


class Wanted(Struct, frozen=True):
    """Without a `key` one is minted where `mint` says so; it can be shown only then."""

    email: str
    workspace: str = "Main"
    password: str = ""
    key: str = ""
    mint: bool = False


class Bootstrapped(Struct, frozen=True):
    """`secret` is the key minted in this very call."""

    account: store.Account
    workspace: store.Workspace
    key: store.Key | None
    secret: str | None = None


async def bootstrap(database: Database, wanted: Wanted) -> Bootstrapped:
    hash = await asyncio.to_thread(passwords.hashed, wanted.password) if wanted.password else None
    async with database.transaction() as connection:
        # Several gateways may start at once.
        await connection.execute("SELECT pg_advisory_xact_lock(hashtext('gateway bootstrap'))")
        account = await people.make_account(connection, wanted.email)
        if hash and not account.has_password:
            await people.set_password(connection, account.id, hash)
        workspace = await people.make_workspace(connection, wanted.workspace, account.id)
        await people.add_member(connection, workspace.id, account.id, "owner")
        key, secret = await _key(connection, wanted, account, workspace)
    return Bootstrapped(account, workspace, key, secret)


async def _key(
    connection: Connection, wanted: Wanted, account: store.Account, workspace: store.Workspace
) -> tuple[store.Key | None, str | None]:
    if wanted.key:
        return await keys.adopt(connection, workspace.id, wanted.key, name=KEY_NAME, account_id=account.id), None
    existing = [key for key in await store.keys(connection, workspace.id) if key.name == KEY_NAME]
    usable = next((key for key in existing if key.revoked_at is None), None)
    if usable or not wanted.mint:
        return usable, None
    made = await keys.create(connection, workspace.id, name=KEY_NAME, account_id=account.id)
    return made.key, made.secret
