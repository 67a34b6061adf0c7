"""The keys that begin with `kl_live_`: 64 hexadecimal digits, of which the last 8 are a CRC32 of those before.

So that a mistyped key is known without a look at the database, and a leaked one is known for ours by whoever finds it.
"""

import re
import secrets
import zlib

PREFIX = "kl_live_"

_DIGITS = re.compile(r"([0-9a-f]{56})([0-9a-f]{8})")
_RANDOM_BYTES = 28


def mint() -> str:
    digits = secrets.token_hex(_RANDOM_BYTES)
    return f"{PREFIX}{digits}{_of(digits)}"


def is_broken(key: str) -> bool:
    """True for what begins like such a key, and is none. Of any other key it says nothing."""
    if not key.startswith(PREFIX):
        return False
    match = _DIGITS.fullmatch(key.removeprefix(PREFIX))
    return match is None or _of(match[1]) != match[2]


def _of(digits: str) -> str:
    return f"{zlib.crc32(digits.encode()):08x}"
