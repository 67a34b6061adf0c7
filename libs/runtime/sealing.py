"""Sealing: what is secret at rest, and capability tokens, under the installation's master keys.

A sealed text is `version · length of kid · kid · nonce · AES-256-GCM`, bound to what it is `about`: moved to another
place it does not open. The first master key seals, every one of them opens, so that a key is changed by putting a new
one in front.
"""

import base64
import binascii
import re
import secrets
import time

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from libs.contracts.faults import Code, Fault

_VERSION = 1
_NONCE = 12
_KID = re.compile(r"[A-Za-z0-9_.-]{1,32}")


class SealBroken(Exception):
    """A sealed text that no master key of this process opens; the message says what to do."""


class Sealer:
    """Seals and opens. Raises ValueError where there is no valid master key at all."""

    def __init__(self, keys: dict[str, bytes]) -> None:
        if not keys:
            raise ValueError(
                "MASTER_KEYS is missing: expected kid:base64 of 32 bytes (make one: openssl rand -base64 32)"
            )
        self._keys = {kid: AESGCM(key) for kid, key in keys.items()}
        self._current = next(iter(keys))
        self._masters = keys

    @classmethod
    def of(cls, master_keys: str) -> "Sealer":
        return cls(parse_keys(master_keys))

    def derived(self, purpose: bytes) -> dict[str, bytes]:
        """Keys of 32 bytes for something else than sealing, by the kid of their master key, the current one first."""
        return {kid: HKDF(SHA256(), 32, None, purpose).derive(key) for kid, key in self._masters.items()}

    def seal(self, plain: bytes, *, about: bytes) -> bytes:
        kid = self._current.encode()
        header = bytes((_VERSION, len(kid))) + kid
        nonce = secrets.token_bytes(_NONCE)
        return header + nonce + self._keys[self._current].encrypt(nonce, plain, header + about)

    def open(self, sealed: bytes, *, about: bytes) -> bytes:
        """Raises SealBroken: an unknown key, another purpose, or altered bytes."""
        header, rest = _split(sealed)
        kid = header[2:].decode("ascii", "replace")
        if kid not in self._keys:
            raise SealBroken(f"Sealed under master key {kid!r}, which MASTER_KEYS lacks: add it behind the current one")
        try:
            return self._keys[kid].decrypt(rest[:_NONCE], rest[_NONCE:], header + about)
        except InvalidTag:
            raise SealBroken(
                f"Master key {kid!r} does not open this: it was altered, or {kid!r} is another key"
            ) from None

    def token(self, payload: bytes, *, about: bytes, seconds: float) -> str:
        """A URL-safe text whose holder may do what `about` and `payload` say, for so long."""
        expires = int((time.time() + seconds) * 1000).to_bytes(8)
        return base64.urlsafe_b64encode(self.seal(expires + payload, about=b"token " + about)).rstrip(b"=").decode()

    def read_token(self, token: str, *, about: bytes) -> bytes:
        """The payload; Fault FORBIDDEN where the token is no token of ours, for something else, or too old."""
        try:
            opened = self.open(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)), about=b"token " + about)
        except (SealBroken, binascii.Error, ValueError):
            raise Fault(Code.FORBIDDEN, "This link is not valid.") from None
        if int.from_bytes(opened[:8]) <= time.time() * 1000:
            raise Fault(Code.FORBIDDEN, "This link has expired; ask for a new one.")
        return opened[8:]


def parse_keys(master_keys: str) -> dict[str, bytes]:
    """`kid:base64,kid2:base64` as keys by kid, in their order. Raises ValueError, which shows no key."""
    keys: dict[str, bytes] = {}
    for place, part in enumerate(filter(None, (part.strip() for part in master_keys.split(","))), 1):
        kid, _, text = part.partition(":")
        if not text or not _KID.fullmatch(kid):
            raise ValueError(f"key {place} is not of the form kid:base64")
        if kid in keys:
            raise ValueError(f"the kid {kid!r} is there twice")
        keys[kid] = _key(kid, text)
    return keys


def _key(kid: str, text: str) -> bytes:
    try:
        key = base64.b64decode(text.replace("-", "+").replace("_", "/") + "=" * (-len(text) % 4), validate=True)
    except binascii.Error:
        raise ValueError(f"key {kid!r} is not base64") from None
    if len(key) != 32:
        raise ValueError(f"key {kid!r} has {len(key)} bytes: expected 32")
    return key


def _split(sealed: bytes) -> tuple[bytes, bytes]:
    end = 2 + sealed[1] if len(sealed) > 1 and sealed[0] == _VERSION else 0
    if not end or len(sealed) < end + _NONCE + 16:
        raise SealBroken("These bytes were not sealed by this engine")
    return sealed[:end], sealed[end:]
