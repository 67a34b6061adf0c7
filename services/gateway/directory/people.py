"""Workspaces and the accounts of their members: making and finding them, each idempotent by name or address."""

import re
from uuid import UUID

from libs.contracts import ids
from libs.contracts.faults import Code, Fault, not_found
from libs.postgres import changes
from libs.postgres.database import Connection
from services.gateway import emails
from services.gateway.directory import store
from services.gateway.directory.guests import OLDEST, WORKSPACES
from services.gateway.directory.signing_in import standing

_WORDS = re.compile(r"[^\W_]+")
_LONGEST_NAME = 500


async def make_workspace(connection: Connection, name: str, created_by: UUID | None = None) -> store.Workspace:
    """The workspace of that name, made if there is none."""
    slug = _slug(name)
    made = await _add_workspace(connection, name, slug, created_by)
    found = made or await store.workspace_of_slug(connection, slug)
    assert found is not None
    return found


async def found_workspace(
    connection: Connection, name: str, *, slug: str | None = None, owner: UUID
) -> store.Workspace:
    """A new one, of this owner's. Raises Fault INVALID for a name that is none, CONFLICT for one that is taken."""
    made = await _add_workspace(connection, name, _slug(slug or name), owner)
    if made is None:
        raise Fault(Code.CONFLICT, f"There is a workspace {name!r} already: give another slug.", field="slug")
    await add_member(connection, made.id, owner, "owner")
    return made


async def _add_workspace(
    connection: Connection, name: str, slug: str, created_by: UUID | None
) -> store.Workspace | None:
    """None where the slug is another's."""
    made = await store.add_workspace(connection, ids.new(), name.strip(), slug, created_by)
    if made is not None:
        await changes.changed(connection, WORKSPACES, OLDEST)
    return made


async def rename_workspace(connection: Connection, id: UUID, name: str) -> store.Workspace:
    """Its slug stays. Raises Fault INVALID for a name that is none, NOT_FOUND."""
    _slug(name)
    renamed = await store.rename_workspace(connection, id, name.strip())
    if renamed is None:
        raise not_found("workspace", id)
    return renamed


async def find_workspace(connection: Connection, text: str) -> store.Workspace:
    """By id, name or slug. Raises Fault NOT_FOUND."""
    id = ids.parse(text)
    found = await store.workspace(connection, id) if id else None
    found = found or await store.workspace_of_slug(connection, _slug(text))
    if found is None:
        raise Fault(Code.NOT_FOUND, f"There is no workspace {text!r}.", field="workspace")
    return found


async def make_account(connection: Connection, email: str, name: str = "") -> store.Account:
    """The account of that address, made if there is none. Raises Fault INVALID."""
    address = _address(email)
    made = await store.add_account(connection, ids.new(), address, name)
    found = made or await store.account_of_email(connection, address)
    assert found is not None
    return found


async def find_account(connection: Connection, email: str) -> store.Account:
    """Raises Fault NOT_FOUND."""
    found = await store.account_of_email(connection, _address(email))
    if found is None:
        raise Fault(Code.NOT_FOUND, f"There is no account {email!r}.", field="email")
    return found


async def add_member(connection: Connection, workspace_id: UUID, account_id: UUID, role: store.Role) -> None:
    """Who is one already stays what it is."""
    await store.add_member(connection, workspace_id, account_id, role)
    await standing.changed(connection, account_id=account_id, workspace_id=workspace_id)


async def set_password(connection: Connection, account_id: UUID, hash: str) -> None:
    """Every token of the account is refused from now on, in every process."""
    # Two changes at once each end the generation before their own.
    await store.lock_account(connection, account_id)
    await standing.changed(connection, account_id=account_id)
    await store.set_password(connection, account_id, hash)


def _slug(name: str) -> str:
    slug = "-".join(_WORDS.findall(name.casefold()))[:80]
    if not slug:
        raise Fault(Code.INVALID, f"{name!r} is no name for a workspace: it needs a letter or a digit.", field="name")
    if len(name) > _LONGEST_NAME:
        raise Fault(Code.INVALID, f"A workspace's name has at most {_LONGEST_NAME} characters.", field="name")
    return slug


def _address(email: str) -> str:
    address = email.strip().lower()
    if not emails.is_address(address):
        raise Fault(Code.INVALID, f"{email!r} is no e-mail address.", field="email")
    return address
