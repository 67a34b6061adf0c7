"""Tokens: a JWT of 24 hours that says whose it is. Signed with HS256 under keys that the master keys yield.

The rule: the algorithm is ours, never the token's. The first master key signs and every one of them verifies, found by
`kid`: a new key in front leaves the tokens of the old one valid as long as that one stays in MASTER_KEYS.
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import jwt
import msgspec
from msgspec import Struct

from libs.contracts import ids
from libs.contracts.faults import Code, Fault
from libs.runtime.sealing import Sealer
from services.gateway.directory.signing_in.standing import Standing

SECONDS = 24 * 3600
REFRESH_SECONDS = 3600

_ALGORITHM = "HS256"
_PURPOSE = b"polyvox gateway tokens"
_ISSUER = "polyvox"
_LONGEST = 1024
_CLAIMS = ["iss", "sub", "workspace", "generation", "iat", "exp"]


class Token(Struct, frozen=True):
    text: str
    expires_at: datetime


class _Claims(Struct, frozen=True):
    sub: str
    workspace: str
    generation: int
    exp: int


def looks_like_one(text: str) -> bool:
    """Rather than an API key: every JWT begins with a JSON object in base64, and has three parts."""
    return text.startswith("eyJ") and text.count(".") == 2


class Tokens:
    def __init__(self, sealer: Sealer, *, now: Callable[[], float] = time.time) -> None:
        self._keys, self._now = sealer.derived(_PURPOSE), now

    def mint(self, standing: Standing) -> Token:
        began = int(self._now())
        claims = {
            "iss": _ISSUER,
            "sub": ids.crockford("usr", standing.account_id),
            "workspace": str(standing.workspace_id),
            "generation": standing.generation,
            "iat": began,
            "exp": began + SECONDS,
        }
        kid = next(iter(self._keys))
        text = jwt.encode(claims, self._keys[kid], algorithm=_ALGORITHM, headers={"kid": kid})
        return Token(text, datetime.fromtimestamp(began + SECONDS, UTC))

    def read(self, text: str, *, grace: float = 0) -> Standing:
        """What it says, up to `grace` seconds after its end. Raises Fault UNAUTHORIZED."""
        try:
            claims = self._claims(text)
            standing = Standing(_id(claims.sub), UUID(claims.workspace), claims.generation)
        except (jwt.PyJWTError, msgspec.ValidationError, ValueError, RecursionError):
            raise refused() from None
        if claims.exp + grace <= self._now():
            raise Fault(Code.UNAUTHORIZED, "This token has expired: log in again.")
        return standing

    def _claims(self, text: str) -> _Claims:
        if len(text) > _LONGEST or not text.isascii():
            raise ValueError("no token of ours")
        key = self._keys.get(jwt.get_unverified_header(text).get("kid", ""))
        if key is None:
            raise ValueError("a key we do not have")
        # The time is judged above, by the clock that this was given.
        options: Any = {"verify_exp": False, "verify_iat": False, "require": _CLAIMS}
        return msgspec.convert(jwt.decode(text, key, [_ALGORITHM], options, issuer=_ISSUER), _Claims)


def refused() -> Fault:
    return Fault(Code.UNAUTHORIZED, "This token is not valid: log in again.")


def _id(text: str) -> UUID:
    found = ids.parse(text)
    if found is None:
        raise ValueError("no id")
    return found
