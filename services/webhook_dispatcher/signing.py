"""Signatures: how a receiver knows that a delivery is ours and that nobody changed it.

Owner: webhook_dispatcher. Two schemes over the same bytes: KlairoAI's, and Standard Webhooks v1, with v1a beside it
where it was asked for (its specification, section "Signature scheme"). The one rule: what is signed is exactly what is
sent.
"""

import base64
import hmac
import secrets
from collections.abc import Sequence
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from msgspec import Struct

PREFIX = "whsec_"
PUBLIC_PREFIX = "whpk_"
_SECRET_BYTES = 32


def new_secret() -> str:
    return PREFIX + base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()


def is_secret(text: str) -> bool:
    try:
        return text.startswith(PREFIX) and bool(base64.b64decode(text.removeprefix(PREFIX), validate=True))
    except ValueError:
        return False


class Keys(Struct, frozen=True):
    """What an endpoint's deliveries are signed with now: secrets, newest first, and perhaps a private Ed25519 key."""

    secrets: Sequence[str]
    signing_key: bytes | None = None


def new_signing_key() -> bytes:
    return Ed25519PrivateKey.generate().private_bytes_raw()


def public_key(signing_key: bytes) -> str:
    """As Standard Webhooks spells it."""
    raw = Ed25519PrivateKey.from_private_bytes(signing_key).public_key().public_bytes_raw()
    return PUBLIC_PREFIX + base64.b64encode(raw).decode()


def headers(event: str, delivery_id: UUID, body: bytes, *, keys: Keys, at: int) -> dict[str, str]:
    """What a delivery carries beside its body; `at` is in Unix seconds."""
    newest, *older = keys.secrets
    told = {
        "X-KlairoAI-Event": event,
        "X-KlairoAI-Delivery": str(delivery_id),
        "X-KlairoAI-Signature": klairo_signature(newest, body),
        "webhook-id": str(delivery_id),
        "webhook-timestamp": str(at),
        "webhook-signature": _standard(f"{delivery_id}.{at}.".encode() + body, keys),
    }
    if older:
        told["X-KlairoAI-Signature-Previous"] = klairo_signature(older[0], body)
    return told


def _standard(message: bytes, keys: Keys) -> str:
    signatures = [standard_signature(secret, message) for secret in keys.secrets]
    if keys.signing_key is not None:
        signatures.append(asymmetric_signature(keys.signing_key, message))
    return " ".join(signatures)


def klairo_signature(secret: str, body: bytes) -> str:
    """Over the raw body, keyed with the whole secret as its owner sees it, prefix included."""
    return "sha256=" + hmac.digest(secret.encode(), body, "sha256").hex()


def standard_signature(secret: str, message: bytes) -> str:
    """Over `id.timestamp.body`, keyed with the bytes that the secret spells in base64 after its prefix."""
    key = base64.b64decode(secret.removeprefix(PREFIX))
    return "v1," + base64.b64encode(hmac.digest(key, message, "sha256")).decode()


def asymmetric_signature(signing_key: bytes, message: bytes) -> str:
    signature = Ed25519PrivateKey.from_private_bytes(signing_key).sign(message)
    return "v1a," + base64.b64encode(signature).decode()
