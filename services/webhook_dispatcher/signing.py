"""Signatures: how a receiver knows that a delivery is ours and that nobody changed it.

Owner: webhook_dispatcher. Two schemes over the same bytes: KlairoAI's, and Standard Webhooks v1 (its specification,
section "Signature scheme"). The one rule: what is signed is exactly what is sent.
"""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Sequence
from uuid import UUID

PREFIX = "whsec_"
_SECRET_BYTES = 32


def new_secret() -> str:
    return PREFIX + base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()


def headers(event: str, delivery_id: UUID, body: bytes, *, secrets: Sequence[str], at: int) -> dict[str, str]:
    """What a delivery carries beside its body. `secrets` are those valid now, newest first; `at` is in Unix seconds."""
    message = f"{delivery_id}.{at}.".encode() + body
    return {
        "X-KlairoAI-Event": event,
        "X-KlairoAI-Delivery": str(delivery_id),
        "X-KlairoAI-Signature": klairo_signature(secrets[0], body),
        "webhook-id": str(delivery_id),
        "webhook-timestamp": str(at),
        "webhook-signature": " ".join(standard_signature(secret, message) for secret in secrets),
    }


def klairo_signature(secret: str, body: bytes) -> str:
    """Over the raw body, keyed with the whole secret as its owner sees it, prefix included."""
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def standard_signature(secret: str, message: bytes) -> str:
    """Over `id.timestamp.body`, keyed with the bytes that the secret spells in base64 after its prefix."""
    key = base64.b64decode(secret.removeprefix(PREFIX))
    return "v1," + base64.b64encode(hmac.digest(key, message, "sha256")).decode()
