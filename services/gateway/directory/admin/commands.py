"""One function per command: it does the work in a transaction and says what there is now."""

import getpass
import sys
from argparse import Namespace
from pathlib import Path

from msgspec import Struct

from libs.contracts.faults import Code, Fault
from libs.contracts.ids import parse
from libs.postgres.database import Database
from libs.runtime.commands.answers import Answer
from services.gateway.directory import bootstrap as first
from services.gateway.directory import clocks, endings, keys, passwords, people, store
from services.gateway.plans import plans
from services.gateway.plans.store import Put

_WORKSPACE = ("id", "name", "slug", "plan", "created_at")
_SETTINGS = ("id", "name", "slug", "retention_days", "timezone")
_ACCOUNT = ("id", "email", "name", "has_password", "created_at")
_KEY = ("id", "name", "prefix", "workspace_id", "created_at", "revoked_at")
# What an option that was not given leaves as it is.
KEPT = -1
_SHOWN_ONCE = "API key (shown this once): {}"


class ShownKey(Struct, frozen=True):
    """A new key for --json; `secret` is None where the key was given, not made."""

    key: store.Key
    secret: str | None


async def bootstrap(database: Database, options: Namespace) -> Answer:
    wanted = first.Wanted(
        options.email,
        options.workspace,
        _secret(options.password_file),
        _secret(options.key_file),
        mint=not options.key_file,
    )
    made = await first.bootstrap(database, wanted)
    notes = [f"Account {made.account.email}, workspace {made.workspace.name} ({made.workspace.id})"]
    if made.secret:
        notes.append(_SHOWN_ONCE.format(made.secret))
    elif not wanted.key:
        notes.append("The key was made and shown before. Another one: admin keys create --workspace NAME")
    return Answer(made, [made.key] if made.key else [], _KEY, tuple(notes))


async def list_workspaces(database: Database, options: Namespace) -> Answer:
    async with database.acquire() as connection:
        found = await store.workspaces(connection)
    return Answer(found, found, _WORKSPACE)


async def create_workspace(database: Database, options: Namespace) -> Answer:
    async with database.transaction() as connection:
        made = await people.make_workspace(connection, options.name)
        if options.plan:
            await plans.change(connection, made.id, Put(await plans.find(connection, options.plan)))
            made = await people.find_workspace(connection, str(made.id))
    return Answer(made, [made], _WORKSPACE)


async def set_workspace(database: Database, options: Namespace) -> Answer:
    async with database.transaction() as connection:
        workspace = await people.find_workspace(connection, options.workspace)
        if options.retention_days != KEPT:
            await store.set_retention(connection, workspace.id, options.retention_days)
        if options.timezone is not None:
            await clocks.set_timezone(connection, workspace.id, options.timezone)
        changed = await store.workspace(connection, workspace.id) or workspace
    return Answer(changed, [changed], _SETTINGS)


async def delete_workspace(database: Database, options: Namespace) -> Answer:
    async with database.transaction() as connection:
        workspace = await people.find_workspace(connection, options.workspace)
        await endings.delete(connection, workspace)
    notes = ("Its keys are refused from now on. What it had is erased in the background by the running services.",)
    return Answer(workspace, [workspace], _WORKSPACE, notes)


async def list_accounts(database: Database, options: Namespace) -> Answer:
    async with database.acquire() as connection:
        found = await store.accounts(connection)
    return Answer(found, found, _ACCOUNT)


async def create_account(database: Database, options: Namespace) -> Answer:
    async with database.transaction() as connection:
        made = await people.make_account(connection, options.email, options.name)
        if options.workspace:
            workspace = await people.find_workspace(connection, options.workspace)
            await people.add_member(connection, workspace.id, made.id, options.role)
    return Answer(made, [made], _ACCOUNT)


async def list_keys(database: Database, options: Namespace) -> Answer:
    async with database.acquire() as connection:
        workspace = await people.find_workspace(connection, options.workspace) if options.workspace else None
        found = await store.keys(connection, workspace.id if workspace else None)
    return Answer(found, found, _KEY)


async def create_key(database: Database, options: Namespace) -> Answer:
    given = _secret(options.key_file)
    async with database.transaction() as connection:
        workspace = await people.find_workspace(connection, options.workspace)
        account = await people.find_account(connection, options.email) if options.email else None
        account_id = account.id if account else None
        if given:
            key = await keys.adopt(connection, workspace.id, given, name=options.name, account_id=account_id)
            return Answer(ShownKey(key, None), [key], _KEY)
        made = await keys.create(connection, workspace.id, name=options.name, account_id=account_id)
    return Answer(ShownKey(made.key, made.secret), [made.key], _KEY, (_SHOWN_ONCE.format(made.secret),))


async def revoke_key(database: Database, options: Namespace) -> Answer:
    id = parse(options.id)
    if id is None:
        raise Fault(Code.NOT_FOUND, f"There is no key {options.id!r}.", field="id")
    async with database.transaction() as connection:
        revoked = await keys.revoke(connection, id)
    return Answer(revoked, [revoked], _KEY)


async def set_password(database: Database, options: Namespace) -> Answer:
    hash = passwords.hashed(_secret(options.password_file) or _asked())
    async with database.transaction() as connection:
        account = await people.find_account(connection, options.email)
        await people.set_password(connection, account.id, hash)
        account = await people.find_account(connection, options.email)
    return Answer(account, [account], _ACCOUNT)


def _secret(path: str | None) -> str:
    """The secret in a file, without the line break that editors leave; nothing without a file."""
    if not path:
        return ""
    try:
        secret = Path(path).read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise Fault(Code.INVALID, f"{path} can't be read: {error}.") from None
    if not secret:
        raise Fault(Code.INVALID, f"{path} is empty.")
    return secret


def _asked() -> str:
    if not sys.stdin.isatty():
        raise Fault(Code.INVALID, "Give the password in a file: --password-file FILE.")
    password = getpass.getpass("New password: ")
    if getpass.getpass("Again: ") != password:
        raise Fault(Code.INVALID, "The two are not the same.")
    return password
