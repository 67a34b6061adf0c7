"""People with passwords, made as the operator's commands make them."""

import functools
from typing import Any

from services.gateway.directory import passwords, people, store
from services.gateway.directory.signing_in.standing import Standing
from services.gateway.directory.signing_in.tokens import Tokens
from tests.services.gateway.peers import Door, Reply

PASSWORD = "correct horse"

# A hash takes a while; whose it is does not matter here.
_hashed = functools.cache(passwords.hashed)


async def account(
    door: Door, email: str, *, role: store.Role = "owner", workspace: str = "Test", password: str = PASSWORD
) -> store.Account:
    async with door.service.database.transaction() as connection:
        made = await people.make_account(connection, email, "Ann Example")
        found = await people.make_workspace(connection, workspace)
        await people.add_member(connection, found.id, made.id, role)
        await people.set_password(connection, made.id, _hashed(password))
    return made


async def login(door: Door, email: str, password: str = PASSWORD, **options: Any) -> Reply:
    path = options.pop("path", "/api/auth/login")
    return await door.call("POST", path, {"email": email, "password": password}, key=None, **options)


async def standing_of(door: Door, email: str) -> Standing:
    row = await door.service.database.fetchrow("SELECT id, generation FROM accounts WHERE email = $1", email)
    assert row is not None
    return Standing(row["id"], door.workspace_id, row["generation"])


async def token(door: Door, email: str, *, role: store.Role = "owner") -> str:
    """Of a new account, as a login would give it."""
    await account(door, email, role=role)
    return Tokens(door.service.sealer).mint(await standing_of(door, email)).text
