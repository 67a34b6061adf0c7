"""Logins: a password proves an account, and a token says so for a day.

The rule: whether an account exists can't be told from an answer, nor from its time: where there is no password to
compare with, one is compared with a decoy. Hashing is done by few threads, so that logins never take all memory.
"""

import asyncio
import secrets

from msgspec import Struct

from libs.contracts import ids
from libs.contracts.faults import Code, Fault
from libs.postgres.database import Connection, Database
from services.gateway.directory import passwords
from services.gateway.directory.signing_in import store, throttle
from services.gateway.directory.signing_in.standing import Standing
from services.gateway.directory.signing_in.tokens import REFRESH_SECONDS, Token, Tokens, refused
from services.gateway.origins import Address

_HASHED_AT_ONCE = 2
_WAIT_SECONDS = 5.0


class Wanted(Struct, frozen=True):
    """`workspace` is an id; without one it is the first that the account became a member of."""

    email: str
    password: str
    workspace: str | None = None


class LoggedIn(Struct, frozen=True):
    token: Token
    profile: store.Profile


class Logins:
    def __init__(self, database: Database, tokens: Tokens) -> None:
        self._database, self._tokens = database, tokens
        self._decoy = passwords.hashed(secrets.token_urlsafe())
        self._hashing = asyncio.Semaphore(_HASHED_AT_ONCE)

    async def login(self, wanted: Wanted, address: Address | None) -> LoggedIn:
        """Raises Fault UNAUTHORIZED, RATE_LIMITED, UNAVAILABLE, and FORBIDDEN for an account without a workspace."""
        email = wanted.email.strip().lower()
        attempt = await throttle.begin(self._database, email, address)
        async with self._database.acquire() as connection:
            known = await store.credentials(connection, email)
        right = await self._matches(wanted.password, known.password_hash if known else None)
        if known is None or not right:
            raise Fault(Code.UNAUTHORIZED, "This e-mail address and password do not belong together.")
        async with self._database.transaction() as connection:
            await throttle.succeeded(connection, attempt)
            return await self._begin(connection, await _standing(connection, known, wanted.workspace))

    async def refresh(self, text: str) -> LoggedIn:
        """For a token that is valid, or was until an hour ago. Raises Fault UNAUTHORIZED."""
        standing = self._tokens.read(text, grace=REFRESH_SECONDS)
        async with self._database.transaction() as connection:
            if not await store.stands(connection, standing.account_id, standing.workspace_id, standing.generation):
                raise refused()
            return await self._begin(connection, standing)

    async def _begin(self, connection: Connection, standing: Standing) -> LoggedIn:
        await store.seen(connection, standing.account_id)
        profile = await store.profile(connection, standing.account_id, standing.workspace_id)
        if profile is None:
            raise refused()
        return LoggedIn(self._tokens.mint(standing), profile)

    async def _matches(self, password: str, hash: str | None) -> bool:
        try:
            async with asyncio.timeout(_WAIT_SECONDS):
                await self._hashing.acquire()
        except TimeoutError:
            raise Fault(Code.UNAVAILABLE, "Too many are logging in: try again.", retry_after=1) from None
        # The thread goes on where its client leaves; only its end makes room.
        comparing = asyncio.get_running_loop().run_in_executor(None, passwords.matches, password, hash or self._decoy)
        comparing.add_done_callback(lambda _: self._hashing.release())
        return await asyncio.shield(comparing) and hash is not None


async def _standing(connection: Connection, known: store.Credentials, workspace: str | None) -> Standing:
    """As of the password that was compared: one that was changed meanwhile gives a token that does not hold."""
    wanted = ids.parse(workspace) if workspace is not None else None
    for each in await store.memberships(connection, account_id=known.account_id):
        if workspace is None or each.workspace_id == wanted:
            return Standing(known.account_id, each.workspace_id, known.generation)
    raise Fault(Code.FORBIDDEN, "This account is a member of no such workspace.")
