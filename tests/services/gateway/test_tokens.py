"""Tokens and where clients come from: what is read, and what is not believed."""

from contextlib import nullcontext
from ipaddress import ip_address

import jwt
import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request
from hypothesis import given, settings
from hypothesis import strategies as st

from libs.contracts import ids
from libs.contracts.faults import Fault
from libs.runtime.sealing import Sealer
from services.gateway.directory import checksum
from services.gateway.directory.signing_in.standing import Standing
from services.gateway.directory.signing_in.tokens import Tokens
from services.gateway.http.proxies import Proxies


def test_a_token_of_an_earlier_master_key_is_read_as_long_as_that_key_is_there():
    standing = Standing(ids.new(), ids.new(), 1)
    old, new = {"old": b"o" * 32}, {"new": b"n" * 32}
    held = Tokens(Sealer(old)).mint(standing).text
    assert Tokens(Sealer(new | old)).read(held) == standing
    fresh = Tokens(Sealer(new | old)).mint(standing).text
    assert jwt.get_unverified_header(fresh)["kid"] == "new"
    with pytest.raises(Fault, match="not valid"):
        Tokens(Sealer(new)).read(held)


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_a_token_with_one_byte_changed_is_none(data):
    tokens = Tokens(Sealer({"k": b"k" * 32}))
    standing = Standing(ids.new(), ids.new(), data.draw(st.integers(1, 2**31)))
    held = tokens.mint(standing).text
    assert tokens.read(held) == standing
    place = data.draw(st.integers(0, len(held) - 2))  # the last digit's low bits say nothing
    changed = held[:place] + data.draw(st.characters().filter(lambda c: c != held[place])) + held[place + 1 :]
    with pytest.raises(Fault, match="token"):
        tokens.read(changed)


def test_a_key_with_one_digit_changed_is_broken_and_one_of_another_kind_is_not_judged():
    key = checksum.mint()
    assert len(key) == len("kl_live_") + 64
    assert not checksum.is_broken(key)
    assert not checksum.is_broken("pv_anything")
    for place in range(len("kl_live_"), len(key)):
        other = "0" if key[place] != "0" else "1"
        assert checksum.is_broken(key[:place] + other + key[place + 1 :])
    for broken in ("kl_live_", key[:-1], key + "0", key.upper().replace("KL_LIVE_", "kl_live_"), key + "\n"):
        assert checksum.is_broken(broken)


@pytest.mark.parametrize(
    ("trusted", "peer", "forwarded", "client"),
    [
        ("", "203.0.113.9", ["198.51.100.1"], "203.0.113.9"),
        ("10.0.0.0/8", "203.0.113.9", ["198.51.100.1"], "203.0.113.9"),
        ("10.0.0.0/8", "10.0.0.1", [], "10.0.0.1"),
        ("10.0.0.0/8", "10.0.0.1", ["198.51.100.1"], "198.51.100.1"),
        ("10.0.0.0/8", "::ffff:10.0.0.1", ["1.1.1.1, 198.51.100.1, 10.0.0.2"], "198.51.100.1"),
        ("10.0.0.0/8", "10.0.0.1", ["1.1.1.1", "198.51.100.1, 10.0.0.2"], "198.51.100.1"),
        ("10.0.0.0/8,::1", "::1", ["2001:db8::7"], "2001:db8::7"),
        ("10.0.0.0/8", "10.0.0.1", ["unknown"], None),
    ],
)
def test_a_client_is_the_first_from_the_end_that_is_no_trusted_proxy(trusted, peer, forwarded, client):
    request = make_mocked_request("GET", "/", headers=[("X-Forwarded-For", line) for line in forwarded])
    request = request.clone(remote=peer)
    assert Proxies.of(trusted).client(request) == (client and ip_address(client))


def test_a_range_of_proxies_that_is_none_is_refused_at_the_start():
    with pytest.raises(ValueError, match="TRUSTED_PROXIES"):
        Proxies.of("10.0.0.1/8")


@pytest.mark.parametrize(
    ("peer", "told", "let_in"),
    [
        ("10.0.0.1", ["https"], True),
        ("10.0.0.1", ["HTTPS "], True),
        ("10.0.0.1", ["http, https"], True),
        ("10.0.0.1", ["http"], False),
        ("10.0.0.1", ["https, http"], False),
        ("10.0.0.1", ["https", "http"], False),
        ("10.0.0.1", [], False),
        ("203.0.113.9", ["https"], False),
    ],
)
def test_where_https_is_required_a_trusted_proxy_must_have_said_so(peer, told, let_in):
    request = make_mocked_request("GET", "/", headers=[("X-Forwarded-Proto", line) for line in told])
    with nullcontext() if let_in else pytest.raises(web.HTTPUpgradeRequired):
        Proxies.of("10.0.0.0/8", https_only=True).admit(request.clone(remote=peer))
    Proxies.of("10.0.0.0/8").admit(request)


def test_https_can_only_be_required_where_somebody_tells_of_it():
    with pytest.raises(ValueError, match="REQUIRE_HTTPS needs TRUSTED_PROXIES"):
        Proxies.of("", https_only=True)
