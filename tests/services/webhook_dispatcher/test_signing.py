"""Signatures against known vectors, the standardwebhooks package and the Node sample of the KlairoAI reference."""

import base64
import json
import shutil
import subprocess
import time
from uuid import UUID

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from services.webhook_dispatcher import signing

DELIVERY = UUID("0190163d-8694-739b-aea5-966c26f8ad91")
BODY = b'{"event":"test.ping","data":{"text":"gr\xc3\xbc\xc3\x9fe"}}'

# The receiver of the reference, reading its request from stdin instead of Express.
NODE_SAMPLE = """
const crypto = require('crypto');
const req = JSON.parse(require('fs').readFileSync(0, 'utf8'));
req.body = Buffer.from(req.body, 'base64');
const sig     = req.headers['x-klairoai-signature'];
const secret  = req.secret;
const digest  = crypto.createHmac('sha256', secret)
                      .update(req.body)
                      .digest('hex');
if (sig !== `sha256=${digest}`) process.exit(1);
const event = JSON.parse(req.body);
console.log('Received event:', event.event);
"""


def signed(*secrets: str, body: bytes = BODY) -> dict[str, str]:
    return signing.headers("test.ping", DELIVERY, body, keys=signing.Keys(secrets), at=int(time.time()))


def test_the_known_vector_of_standard_webhooks_is_met():
    message = b'msg_p5jXN8AQM9LWM0D4loKWxJek.1614265330.{"test": 2432232314}'
    signature = signing.standard_signature("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", message)
    assert signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_the_known_vector_of_hmac_sha256_is_met():
    """RFC 4231, test case 2."""
    signature = signing.klairo_signature("Jefe", b"what do ya want for nothing?")
    assert signature == "sha256=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"


def test_a_secret_is_long_random_and_spelled_as_standard_webhooks_wants_it():
    secret = signing.new_secret()
    assert secret.startswith("whsec_")
    assert len(base64.b64decode(secret.removeprefix("whsec_"), validate=True)) >= 24
    assert secret != signing.new_secret()


def test_the_standardwebhooks_package_verifies_a_delivery():
    secret = signing.new_secret()
    assert Webhook(secret).verify(BODY, signed(secret)) == json.loads(BODY)


def test_during_a_rotation_either_secret_verifies_a_delivery():
    new, old = signing.new_secret(), signing.new_secret()
    Webhook(new).verify(BODY, signed(new, old))
    Webhook(old).verify(BODY, signed(new, old))


def test_during_a_rotation_the_older_scheme_has_the_former_secret_in_a_header_of_its_own():
    new, old = signing.new_secret(), signing.new_secret()
    headers = signed(new, old)
    assert headers["X-KlairoAI-Signature"] == signing.klairo_signature(new, BODY)
    assert headers["X-KlairoAI-Signature-Previous"] == signing.klairo_signature(old, BODY)
    assert "X-KlairoAI-Signature-Previous" not in signed(new)


def test_an_asymmetric_signature_is_verified_with_the_public_key_alone():
    secret, key = signing.new_secret(), signing.new_signing_key()
    headers = signing.headers(
        "test.ping", DELIVERY, BODY, keys=signing.Keys([secret], key), at=(at := int(time.time()))
    )
    symmetric, asymmetric = headers["webhook-signature"].split(" ")
    assert symmetric.startswith("v1,")
    spelled = signing.public_key(key)
    assert spelled.startswith("whpk_")
    public = Ed25519PublicKey.from_public_bytes(base64.b64decode(spelled.removeprefix("whpk_")))
    signature = base64.b64decode(asymmetric.removeprefix("v1a,"))
    public.verify(signature, f"{DELIVERY}.{at}.".encode() + BODY)
    with pytest.raises(InvalidSignature):
        public.verify(signature, f"{DELIVERY}.{at}.".encode() + BODY + b" ")
    assert Webhook(secret).verify(BODY, headers) == json.loads(BODY)


@pytest.mark.parametrize("changed", [BODY + b" ", BODY.replace(b"ping", b"pong")])
def test_a_changed_body_is_found_out(changed):
    secret = signing.new_secret()
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(changed, signed(secret))


def test_another_secret_does_not_verify():
    with pytest.raises(WebhookVerificationError):
        Webhook(signing.new_secret()).verify(BODY, signed(signing.new_secret()))


@pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")
def test_the_sample_of_the_reference_verifies_a_delivery_and_refuses_a_changed_one():
    secret = signing.new_secret()
    assert _node_sample(secret, signed(secret), BODY).stdout == "Received event: test.ping\n"
    assert _node_sample(secret, signed(secret), BODY + b" ").returncode == 1


def _node_sample(secret: str, headers: dict[str, str], body: bytes) -> subprocess.CompletedProcess[str]:
    lower = {name.lower(): value for name, value in headers.items()}
    request = {"secret": secret, "headers": lower, "body": base64.b64encode(body).decode()}
    return subprocess.run(
        ["node", "-e", NODE_SAMPLE], input=json.dumps(request), capture_output=True, text=True, timeout=30, check=False
    )
