"""API keys: minted here, shown once, kept as a hash, and revoked for every process at once."""

import secrets
from uuid import UUID

from msgspec import Struct

from libs.contracts import ids
from libs.contracts.faults import Code, Fault, not_found
from libs.postgres import changes
from libs.postgres.database import Connection
from services.gateway.directory import store
from services.gateway.directory.callers import KEYS, digest

_PREFIX = "pv_"
_SHOWN = 8
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


async def _add(
    connection: Connection, workspace_id: UUID, account_id: UUID | None, name: str, secret: str
) -> store.Key:
    hash = digest(secret)
    added = await store.add_key(connection, ids.new(), workspace_id, account_id, name, secret[:_SHOWN], hash)
    # Somewhere this key may be known as one that does not exist.
    await changes.changed(connection, KEYS, hash.hex())
    if added is None:
        raise Fault(Code.CONFLICT, "This key was added at the same moment: try again.", field="key")
    return added


async def revoke(connection: Connection, key_id: UUID) -> store.Key:
    revoked = await store.revoke_key(connection, key_id)
    if revoked is None:
        raise not_found("key", key_id)
    key, hash = revoked
    await changes.changed(connection, KEYS, hash.hex())
    return key


def _refuse_weak(secret: str) -> None:
    if len(secret) < _LEAST or not secret.isascii() or not secret.isprintable() or " " in secret:
        raise Fault(
            Code.INVALID, f"An API key has at least {_LEAST} characters, all of them ASCII without spaces.", field="key"
        )
