"""Callers: whose request this is, told by an API key that works in every voice, or by a token of who logged in.

Both are looked up in caches that rest on the `changes` table, a key by its SHA-256: a lookup costs no query, and a
revoked key is refused within a second in every process. So is a token whose password was changed.
"""

import hashlib
from uuid import UUID

from aiohttp import web
from msgspec import Struct

from libs.contracts import ids
from libs.contracts.faults import Code, Fault
from libs.postgres.changes import Changes
from libs.postgres.database import Database
from services.gateway.directory import checksum, store
from services.gateway.directory.signing_in import standing as standings
from services.gateway.directory.signing_in import store as signing_in
from services.gateway.directory.signing_in.standing import STANDINGS, Standing

KEYS = "keys"


class Caller(Struct, frozen=True):
    """`key_hash` is the key's SHA-256 in hex, or what a token says: streams are bound to it, and end with it.

    `logged_in`: by a token. There is no key then.
    """

    workspace_id: UUID
    account_id: UUID | None
    key_id: UUID
    key_hash: str = ""
    logged_in: bool = False


class Callers:
    def __init__(self, database: Database, changes: Changes) -> None:
        self._database = database
        self._keys = changes.cache(KEYS, self._load)
        self._standings = changes.cache(STANDINGS, self._load_standing)

    async def of(self, request: web.Request, *schemes: str) -> Caller:
        """The caller by `Authorization: <scheme> <key>`, where Bearer is the default. Raises Fault UNAUTHORIZED."""
        caller = await self.of_key(given(request, *schemes))
        if caller is None:
            raise Fault(Code.UNAUTHORIZED, "This API key is not valid, or was revoked.")
        return caller

    async def of_key(self, key: str) -> Caller | None:
        return None if checksum.is_broken(key) else await self._keys.get(digest(key).hex())

    async def of_standing(self, standing: Standing) -> Caller | None:
        """Whom a token that was found to be ours makes; None where it does not hold any more."""
        return await self._standings.get(standing.text)

    async def still_valid(self, key_hash: str) -> bool:
        cache = self._standings if standings.is_one(key_hash) else self._keys
        return await cache.get(key_hash) is not None

    def forget(self, key_hash: str) -> None:
        """For the process that revoked a key, which need not read of it."""
        self._keys.forget(key_hash)

    async def _load(self, hash: str) -> Caller | None:
        async with self._database.acquire() as connection:
            key = await store.key_of_hash(connection, bytes.fromhex(hash))
        if key is None or key.revoked_at is not None:
            return None
        return Caller(key.workspace_id, key.account_id, key.id, hash)

    async def _load_standing(self, text: str) -> Caller | None:
        said = standings.parse(text)
        async with self._database.acquire() as connection:
            holds = await signing_in.stands(connection, said.account_id, said.workspace_id, said.generation)
        return Caller(said.workspace_id, said.account_id, ids.NONE, text, logged_in=True) if holds else None


def digest(key: str) -> bytes:
    """What is kept of a key. A header may hold bytes that are no text."""
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()


def given(request: web.Request, *schemes: str, what: str = "An API key") -> str:
    """The credential of these schemes, of Bearer where none is named. Raises Fault UNAUTHORIZED where there is none."""
    schemes = schemes or ("Bearer",)
    scheme, _, key = request.headers.get("Authorization", "").partition(" ")
    key = key.strip()
    if not key or scheme.lower() not in map(str.lower, schemes):
        form = f"Authorization: {schemes[0]} <{what.rpartition(' ')[2]}>"
        raise Fault(Code.UNAUTHORIZED, f"{what} is needed: send it as `{form}`.")
    return key
