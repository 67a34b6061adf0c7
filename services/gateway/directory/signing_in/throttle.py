"""The throttle of logins: so many wrong passwords for an account and from an address, over all processes together.

The rule: an attempt is counted before its password is looked at, so that those made at once are counted as well, and
given back when it was right. An account that does not exist is counted like one that does.
"""

import asyncio
import hashlib

from msgspec import Struct

from libs.contracts.faults import Code, Fault
from libs.postgres.database import Connection, Database
from services.gateway.directory.signing_in import store
from services.gateway.origins import Address, network

WINDOW_SECONDS = 15 * 60.0
PER_ACCOUNT = 10
PER_ADDRESS = 100

_SWEEP_SECONDS = 60.0
_SWEPT_AT_ONCE = 1000


class Attempt(Struct, frozen=True):
    account: bytes
    address: bytes


async def begin(database: Database, email: str, address: Address | None) -> Attempt:
    """Raises Fault RATE_LIMITED, whoever of the two tried too often."""
    made = Attempt(_subject("account", email), _subject("address", str(network(address))))
    tried = await store.attempt(database, [made.account, made.address], WINDOW_SECONDS)
    most = {made.account: PER_ACCOUNT, made.address: PER_ADDRESS}
    waits = [each.seconds for each in tried if each.tried > most[each.subject]]
    if waits:
        raise Fault(Code.RATE_LIMITED, "Too many attempts to log in: wait, and try again.", retry_after=max(waits))
    return made


async def succeeded(connection: Connection, attempt: Attempt) -> None:
    for subject in sorted((attempt.account, attempt.address)):
        await store.give_back(connection, subject)


async def upkeep(database: Database) -> None:
    """For ever: drops the windows that have ended."""
    while True:
        while await store.sweep(database, _SWEPT_AT_ONCE) == _SWEPT_AT_ONCE:
            pass
        await asyncio.sleep(_SWEEP_SECONDS)


def _subject(kind: str, text: str) -> bytes:
    return hashlib.sha256(f"{kind} {text}".encode("utf-8", "surrogatepass")).digest()
