"""Passwords: kept as argon2id hashes. Hashing takes tens of milliseconds: off the event loop, where there is one."""

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from libs.contracts.faults import Code, Fault

_LEAST = 8
_MOST = 1024
_hasher = PasswordHasher()


def hashed(password: str) -> str:
    """Raises Fault INVALID for one that is too short."""
    if not _LEAST <= len(password) <= _MOST:
        raise Fault(Code.INVALID, f"A password has from {_LEAST} to {_MOST} characters.", field="password")
    return _hasher.hash(password)


def matches(password: str, hash: str) -> bool:
    try:
        return _hasher.verify(hash, password)
    except (VerificationError, InvalidHashError):
        return False
