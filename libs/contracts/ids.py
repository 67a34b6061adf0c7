"""Ids: UUIDv7, ordered by the moment of their making.

One id has two spellings: a UUID, or a prefix and 26 Crockford digits; either is accepted everywhere.
"""

import hashlib
import os
import time
from uuid import UUID, uuid5

_DIGITS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_VALUES = {digit: value for value, digit in enumerate(_DIGITS)} | {"I": 1, "L": 1, "O": 0}


# Where there must be an id, the one of nothing.
NONE = UUID(int=0)


def new() -> UUID:
    """A UUIDv7 (RFC 9562, section 5.7) that counts the milliseconds in 1/4096 (section 6.2, method 3)."""
    milliseconds, nanoseconds = divmod(time.time_ns(), 1_000_000)
    fraction = nanoseconds * 4096 // 1_000_000
    random = int.from_bytes(os.urandom(8), "big") & 0x3FFFFFFFFFFFFFFF
    return UUID(int=milliseconds << 80 | 0x7 << 76 | fraction << 64 | 0b10 << 62 | random)


def derived(id: UUID, place: int) -> UUID:
    """The id of what is made in this place beside others under one id: of that id's time, and the same every time."""
    if place == 0:
        return id
    digest = int.from_bytes(hashlib.sha256(id.bytes + place.to_bytes(4)).digest()[:10])
    return UUID(int=id.int >> 80 << 80 | 0x7 << 76 | (digest >> 68) << 64 | 0b10 << 62 | digest & 0x3FFFFFFFFFFFFFFF)


def named(workspace_id: UUID, name: str) -> UUID:
    """The id of what a client calls by a name of its own: the same every time, and in no two workspaces."""
    return uuid5(workspace_id, name)


def crockford(prefix: str, id: UUID) -> str:
    """`conv_01J…`: the id's 128 bits in 26 Crockford base32 digits."""
    return f"{prefix}_" + "".join(_DIGITS[id.int >> shift & 31] for shift in range(125, -1, -5))


def parse(text: str) -> UUID | None:
    """The id behind either spelling, whatever its prefix; None where the text spells no id."""
    bare = text.rpartition("_")[2]
    digits = bare.upper()
    if len(digits) == 26 and all(digit in _VALUES for digit in digits) and digits[0] <= "7":
        number = 0
        for digit in digits:
            number = number << 5 | _VALUES[digit]
        return UUID(int=number)
    try:
        return UUID(bare) if len(bare) in (32, 36) else None
    except ValueError:
        return None
