"""Callers: whose request this is, told by an API key that works in every voice.

A key is looked up by its SHA-256 in the cache that rests on the `changes` table: a lookup costs no query, and a
revoked key is refused within a second in every process.
"""

import hashlib
from uuid import UUID

from aiohttp import web
from msgspec import Struct

from libs.contracts.faults import Code, Fault
from libs.postgres.changes import Changes
from libs.postgres.database import Database
from services.gateway.directory import store

KEYS = "keys"


class Caller(Struct, frozen=True):
    """`key_hash` is the key's SHA-256 in hex: what streams are bound to, so that they end with their key."""

    workspace_id: UUID
    account_id: UUID | None
    key_id: UUID
    key_hash: str = ""


class Callers:
    def __init__(self, database: Database, changes: Changes) -> None:
        self._database = database
        self._keys = changes.cache(KEYS, self._load)

    async def of(self, request: web.Request, *schemes: str) -> Caller:
        """The caller by `Authorization: <scheme> <key>`, where Bearer is the default. Raises Fault UNAUTHORIZED."""
        caller = await self.of_key(given(request, *schemes))
        if caller is None:
            raise Fault(Code.UNAUTHORIZED, "This API key is not valid, or was revoked.")
        return caller

    async def of_key(self, key: str) -> Caller | None:
        return await self._keys.get(digest(key).hex())

    async def still_valid(self, key_hash: str) -> bool:
        return await self._keys.get(key_hash) is not None

    async def _load(self, hash: str) -> Caller | None:
        async with self._database.acquire() as connection:
            key = await store.key_of_hash(connection, bytes.fromhex(hash))
        if key is None or key.revoked_at is not None:
            return None
        return Caller(key.workspace_id, key.account_id, key.id, hash)


def digest(key: str) -> bytes:
    """What is kept of a key. A header may hold bytes that are no text."""
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()


def given(request: web.Request, *schemes: str) -> str:
    """The credential of these schemes, of Bearer where none is named. Raises Fault UNAUTHORIZED where there is none."""
    schemes = schemes or ("Bearer",)
    scheme, _, key = request.headers.get("Authorization", "").partition(" ")
    key = key.strip()
    if not key or scheme.lower() not in map(str.lower, schemes):
        raise Fault(Code.UNAUTHORIZED, f"An API key is needed: send it as `Authorization: {schemes[0]} <key>`.")
    return key
