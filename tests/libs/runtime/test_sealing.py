"""Sealing: secrets at rest and capability tokens open only where they belong, and only with a key that is there."""

import base64

import pytest

from libs.contracts.faults import Code, Fault
from libs.runtime.sealing import SealBroken, Sealer, parse_keys


def key(letter: str) -> str:
    return f"{letter}:{base64.b64encode(letter.encode() * 32).decode()}"


@pytest.fixture
def sealer() -> Sealer:
    return Sealer.of(key("a"))


def test_what_was_sealed_opens_again(sealer: Sealer) -> None:
    sealed = sealer.seal(b"sk-secret", about=b"provider 1")
    assert b"secret" not in sealed
    assert sealer.open(sealed, about=b"provider 1") == b"sk-secret"
    assert sealer.open(sealer.seal(b"", about=b""), about=b"") == b""


def test_the_same_text_is_never_sealed_the_same_way(sealer: Sealer) -> None:
    assert sealer.seal(b"x", about=b"") != sealer.seal(b"x", about=b"")


def test_a_sealed_text_does_not_open_elsewhere(sealer: Sealer) -> None:
    with pytest.raises(SealBroken):
        sealer.open(sealer.seal(b"x", about=b"provider 1"), about=b"provider 2")


def test_every_altered_byte_is_noticed(sealer: Sealer) -> None:
    sealed = sealer.seal(b"secret", about=b"x")
    for place in range(len(sealed)):
        altered = sealed[:place] + bytes([sealed[place] ^ 1]) + sealed[place + 1 :]
        with pytest.raises(SealBroken):
            sealer.open(altered, about=b"x")
    for end in range(len(sealed)):
        with pytest.raises(SealBroken):
            sealer.open(sealed[:end], about=b"x")


def test_an_old_key_still_opens_once_a_new_one_is_put_in_front() -> None:
    old = Sealer.of(key("a")).seal(b"x", about=b"")
    both = Sealer.of(f"{key('b')},{key('a')}")
    assert both.open(old, about=b"") == b"x"
    with pytest.raises(SealBroken, match="'b', which MASTER_KEYS lacks"):
        Sealer.of(key("a")).open(both.seal(b"x", about=b""), about=b"")


def test_another_key_under_the_same_kid_is_told_apart() -> None:
    sealed = Sealer.of(key("a")).seal(b"x", about=b"")
    impostor = f"a:{base64.b64encode(b'z' * 32).decode()}"
    with pytest.raises(SealBroken, match="is another key"):
        Sealer.of(impostor).open(sealed, about=b"")


def test_a_token_carries_its_payload_in_characters_for_urls(sealer: Sealer) -> None:
    token = sealer.token(b"upload 7", about=b"put", seconds=60)
    assert token.replace("-", "").replace("_", "").isalnum()
    assert sealer.read_token(token, about=b"put") == b"upload 7"


def test_a_token_is_refused_when_late_altered_or_for_something_else(sealer: Sealer) -> None:
    token = sealer.token(b"upload 7", about=b"put", seconds=60)
    late = sealer.token(b"upload 7", about=b"put", seconds=0)
    sealed = base64.urlsafe_b64encode(sealer.seal(b"\xff" * 8, about=b"put")).decode()
    cases = [(token, b"get"), (late, b"put"), (sealed, b"put"), ("", b"put"), ("ä", b"put"), (token[:-4], b"put")]
    cases += [(f"{token[:20]}{'A' if token[20] != 'A' else 'B'}{token[21:]}", b"put"), ("A" * 5, b"put"), ("!", b"put")]
    for text, about in cases:
        with pytest.raises(Fault) as fault:
            sealer.read_token(text, about=about)
        assert fault.value.code is Code.FORBIDDEN
    with pytest.raises(Fault, match="expired"):
        sealer.read_token(late, about=b"put")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("hunter2", "not of the form"),
        ("a:hunter2", "'a' has|not base64"),
        ("a:hunter2!", "not base64"),
        (f"{key('a')},{key('a')}", "twice"),
        ("a b:AAAA", "not of the form"),
        (f"a:{base64.b64encode(b'x' * 16).decode()}", "16 bytes: expected 32"),
    ],
)
def test_bad_master_keys_are_described_without_showing_them(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason) as error:
        parse_keys(text)
    assert "hunter" not in str(error.value)


def test_without_master_keys_the_message_says_how_to_make_one() -> None:
    with pytest.raises(ValueError, match="openssl rand"):
        Sealer.of("")
