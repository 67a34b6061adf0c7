"""API keys: minted here, shown once, kept as a hash, and revoked for every process at once."""

import secrets
from uuid import UUID

from msgspec import Struct

from libs.contracts import ids
from libs.contracts.faults import Code, Fault, not_found
from libs.contracts.paging import Page, Slice
from libs.postgres import changes
from libs.postgres.database import Connection
from services.gateway.directory import checksum, store
from services.gateway.directory.callers import KEYS, Caller, digest

_PREFIX = "pv_"
_SHOWN = 8
_SHOWN_LONG = len(checksum.PREFIX) + 8
_LEAST = 20


class NewKey(Struct, frozen=True):
    """`secret` is the key itself: it exists here, and never again."""

    key: store.Key
    secret: str


def mint() -> str:
    return _PREFIX + secrets.token_urlsafe(32)


async def create(connection: Connection, workspace_id: UUID, *, name: str, account_id: UUID | None = None) -> NewKey:
    secret = mint()
    return NewKey(await adopt(connection, workspace_id, secret, name=name, account_id=account_id), secret)


async def adopt(
    connection: Connection, workspace_id: UUID, secret: str, *, name: str, account_id: UUID | None = None
) -> store.Key:
    """Keeps a key that was made elsewhere; the same again is the same key. Raises Fault INVALID or CONFLICT."""
    _refuse_weak(secret)
    hash = digest(secret)
    found = await store.key_of_hash(connection, hash) or await _add(connection, workspace_id, account_id, name, secret)
    if found.workspace_id != workspace_id:
        raise Fault(Code.CONFLICT, "This key belongs to another workspace: give another one.", field="key")
    return found


async def create_own(connection: Connection, caller: Caller, name: str) -> NewKey:
    """A key of the account that is logged in."""
    secret = checksum.mint()
    made = await adopt(connection, caller.workspace_id, secret, name=name, account_id=caller.account_id)
    return NewKey(made, secret)


async def page_own(connection: Connection, caller: Caller, slice: Slice) -> Page[store.Key]:
    """Owners and admins see all keys of the workspace, members their own."""
    found, total = await store.page_keys(connection, caller.workspace_id, await _whose(connection, caller), slice)
    return Page(found, total)


async def revoke_own(connection: Connection, caller: Caller, key_id: UUID) -> str:
    """The hash of the key, for `Callers.forget`. Raises Fault NOT_FOUND for one that the caller does not see."""
    key, whose = await store.valid_key(connection, caller.workspace_id, key_id), await _whose(connection, caller)
    if key is None or whose not in (None, key.account_id):
        raise not_found("key", key_id)
    _, hash = await _revoke(connection, key_id)
    return hash


async def _whose(connection: Connection, caller: Caller) -> UUID | None:
    """Whose keys the caller sees; None for everybody's."""
    assert caller.account_id is not None
    role = await store.role(connection, caller.workspace_id, caller.account_id)
    return None if role in ("owner", "admin") else caller.account_id


async def _add(
    connection: Connection, workspace_id: UUID, account_id: UUID | None, name: str, secret: str
) -> store.Key:
    hash = digest(secret)
    shown = secret[:_SHOWN_LONG] if secret.startswith(checksum.PREFIX) else secret[:_SHOWN]
    minted = store.Minted(ids.new(), workspace_id, account_id, name, shown, hash)
    added = await store.add_key(connection, minted)
    # Somewhere this key may be known as one that does not exist.
    await changes.changed(connection, KEYS, hash.hex())
    if added is None:
        raise Fault(Code.CONFLICT, "This key was added at the same moment: try again.", field="key")
    return added


async def revoke(connection: Connection, key_id: UUID) -> store.Key:
    """Raises Fault NOT_FOUND."""
    key, _ = await _revoke(connection, key_id)
    return key


async def _revoke(connection: Connection, key_id: UUID) -> tuple[store.Key, str]:
    """The key and its hash, in hex."""
    revoked = await store.revoke_key(connection, key_id)
    if revoked is None:
        raise not_found("key", key_id)
    key, hash = revoked
    await changes.changed(connection, KEYS, hash.hex())
    return key, hash.hex()


def _refuse_weak(secret: str) -> None:
    if len(secret) < _LEAST or not secret.isascii() or not secret.isprintable() or " " in secret:
        raise Fault(
            Code.INVALID, f"An API key has at least {_LEAST} characters, all of them ASCII without spaces.", field="key"
        )
    if checksum.is_broken(secret):
        raise Fault(
            Code.INVALID, "A key that begins with kl_live_ has 64 hexadecimal digits, the last 8 a CRC32.", field="key"
        )
