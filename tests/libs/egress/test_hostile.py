"""Hostile targets: nothing that is not public is ever connected to, however it is spelt or reached."""

import re
from ipaddress import IPv4Address, ip_address

import aiohttp
import pytest
from aiohttp import web

from libs.contracts.faults import Code, Fault
from libs.egress import Egress, EgressRefused, Refused
from libs.egress.ranges import is_public
from tests.libs.egress.conftest import Listener, serve

pytestmark = pytest.mark.asyncio

INSIDE = [
    # IPv4 special ranges, at their ends
    *("0.0.0.0", "0.0.0.1", "0.255.255.255", "10.0.0.0", "10.0.0.1", "10.255.255.255", "100.64.0.0", "100.127.255.255"),
    *("127.0.0.1", "127.0.0.2", "127.255.255.255", "169.254.0.1", "169.254.169.254", "169.254.170.2", "172.16.0.0"),
    *("172.31.255.255", "192.0.0.1", "192.0.0.170", "192.0.0.192", "192.0.2.1", "192.31.196.1", "192.52.193.1"),
    *("192.88.99.1", "192.168.0.1", "192.168.255.255", "192.175.48.1", "198.18.0.1", "198.19.255.255", "198.51.100.1"),
    *("203.0.113.255", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.254", "255.255.255.255"),
    # IPv6 special ranges
    *("[::]", "[::1]", "[0:0:0:0:0:0:0:1]", "[100::1]", "[100:0:0:1::1]", "[2001::1]", "[2001:2::1]", "[2001:10::1]"),
    *("[2001:20::1]", "[2001:db8::1]", "[2620:4f:8000::1]", "[3fff::1]", "[5f00::1]", "[fc00::1]", "[fd00:ec2::254]"),
    *("[fdff:ffff::1]", "[fe80::1]", "[fe80::1%25lo]", "[febf::1]", "[fec0::1]", "[ff02::1]", "[ff0e::1]", "[4000::1]"),
    # IPv4 inside IPv6: mapped, compatible, translated, 6to4, NAT64 (both), Teredo, ISATAP
    *("[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::ffff:10.0.0.1]", "[::ffff:169.254.169.254]", "[::127.0.0.1]"),
    *("[::7f00:1]", "[::ffff:0:127.0.0.1]", "[2002:7f00:1::]", "[2002:a00:1::1]", "[2002:a9fe:a9fe::1]"),
    *("[64:ff9b::127.0.0.1]", "[64:ff9b::a00:1]", "[64:ff9b::a9fe:a9fe]", "[64:ff9b:1::127.0.0.1]", "[64:ff9b:1::1]"),
    *("[2001:0:7f00:1::1]", "[2001:0:808:808:0:0:80ff:fffe]", "[2a00::5efe:10.0.0.1]", "[2a00::200:5efe:7f00:1]"),
    # notations that a resolver reads as 127.0.0.1, 10.0.0.1 or 169.254.169.254
    *("127.1", "127.0.1", "2130706433", "0x7f000001", "0x7f.1", "0x7f.0.0.1", "0177.0.0.1", "017700000001", "0"),
    *("00.0.0.0", "0x0", "127.0.0.1.", "10.1", "0xa.1", "012.0.0.1", "2852039166", "0xA9FEA9FE", "169.254.43518"),
    *("0251.0376.0251.0376", "0xa9.0xfe.0xa9.0xfe", "0x7F.0X0.0x0.0x1"),
    # what IDNA turns into digits and dots
    *("127。0。0。1", "①②⑦.⓪.⓪.①", "１２７.0.0.1", "127｡0｡0｡1", "ⓛⓞⓒⓐⓛⓗⓞⓢⓣ", "169．254．169．254"),
    # names of this machine
    *("localhost", "LOCALHOST", "localhost.", "a.localhost", "a.b.localhost."),
]


def spellings(address: str) -> list[str]:
    """One IPv4 address as resolvers, IDNA and networks that translate IPv6 read it."""
    parts = [int(part) for part in address.split(".")]
    number = int(IPv4Address(address))
    high, low = f"{number >> 16:x}", f"{number & 0xFFFF:x}"
    return [
        str(number),
        hex(number),
        ".".join(f"0{part:o}" for part in parts),
        ".".join(hex(part) for part in parts),
        ".".join([*map(str, parts[:2]), str(parts[2] << 8 | parts[3])]),
        address.translate({ord(str(digit)): 0xFF10 + digit for digit in range(10)}),
        f"[::ffff:{address}]",
        f"[2002:{high}:{low}::1]",
        f"[64:ff9b::{high}:{low}]",
        f"[2a00::5efe:{high}:{low}]",
    ]


# What is worth reaching inside: other services, containers' bridges, clouds' metadata and name servers.
WORTHWHILE = ["10.96.0.1", "172.17.0.1", "192.168.0.10", "100.100.100.200", "169.254.169.253", "127.0.0.53"]
INSIDE += [spelling for address in WORTHWHILE for spelling in (address, *spellings(address))]

MALFORMED = [
    "",
    "https://",
    "https:///path",
    "https:example.com",
    "//127.0.0.1/",
    "127.0.0.1",
    "file:///etc/passwd",
    "ftp://127.0.0.1/",
    "gopher://127.0.0.1:6379/_x",
    "javascript:alert(1)",
    "data:text/plain,x",
    "unix:///run/x.sock",
    "https://127.0.0.1@example.com/",
    "https://user:password@127.0.0.1/",
    "https://@127.0.0.1/",
    "https://example.com\\@127.0.0.1/",
    "https://127.0.0.1\\.example.com/",
    "https://127.0.0.1 .example.com/",
    "https://127.0.0.1\t/",
    "https://127.0.0.1\r\nHost: x/",
    "https://127.0.0.1\x00.example.com/",
    "https://127.0.0.1%00.example.com/",
    "https://%31%32%37.0.0.1/",
    "https://127.0.0.1%2f@example.com/",
    "https://[::1/",
    "https://[::1]x/",
    "https://[v1.fe80::a]/",
    "https://127.0.0.1:99999/",
    "https://127.0.0.1:0/",
    "https://127.0.0.1:8o/",
    "https://a..b/",
    "https://\ud800.example.com/",
    f"https://{'a' * 64}.example.com/",
    f"https://example.com/{'a' * 3000}",
]


def urls(listener: Listener) -> list[str]:
    return [f"{scheme}://{host}:{listener.port}/" for host in INSIDE for scheme in ("http", "https")]


async def test_the_table_of_hostile_targets_is_long_enough_to_mean_something() -> None:
    assert len({*INSIDE, *MALFORMED}) >= 200


async def test_no_connection_begins_to_an_address_inside(outside: Egress, listener: Listener) -> None:
    before = listener.connections
    for url in urls(listener):
        with pytest.raises(EgressRefused) as refused:
            await outside.request("GET", url, schemes=("http", "https"), deadline=5)
        assert refused.value.code is Code.INVALID, url
        assert refused.value.field == "url", url
    assert listener.connections == before


async def test_the_socket_refuses_what_the_url_check_would_let_pass(
    outside: Egress, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("libs.egress.urls.literal", lambda host: None)
    monkeypatch.setattr("libs.egress.urls._HOST", re.compile(".*"))
    before = listener.connections
    for url in urls(listener):
        with pytest.raises(Fault):
            await outside.request("GET", url, schemes=("http", "https"), deadline=5)
    assert listener.connections == before


@pytest.mark.parametrize("url", MALFORMED)
async def test_a_malformed_or_ambiguous_url_is_refused_with_a_reason(
    outside: Egress, listener: Listener, url: str
) -> None:
    before = listener.connections
    with pytest.raises(EgressRefused) as refused:
        await outside.request("GET", url, deadline=5)
    assert refused.value.message
    assert listener.connections == before


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_inside_is_refused_at_its_hop(local: Egress, listener: Listener, status: int) -> None:
    targets = [
        f"http://127.0.0.2:{listener.port}/",
        f"http://[::1]:{listener.port}/",
        "file:///etc/passwd",
        "http://[::1",
    ]
    for target in targets:
        application = web.Application()
        application.router.add_get("/", _redirect(status, target))
        runner, url = await serve(application)
        before = listener.connections
        with pytest.raises(Fault):
            await local.request("GET", url, redirects=3)
        assert listener.connections == before
        await runner.cleanup()


def _redirect(status: int, target: str):
    async def redirect(_: web.Request) -> web.Response:
        return web.Response(status=status, headers={"Location": target})

    return redirect


async def test_a_refusal_does_not_tell_a_private_name_from_one_that_does_not_exist(
    outside: Egress, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("libs.egress.urls.literal", lambda host: None)
    messages: list[str] = []
    for host in ("localhost", "no-such-host.invalid"):
        with pytest.raises(Fault) as fault:
            await outside.request("GET", f"https://{host}/", deadline=5)
        messages.append(fault.value.message.replace(host, "…"))
    assert messages[0] == messages[1]


async def begins(egress: Egress, url: str) -> bool:
    """Whether a session of one's own connects there at all; nobody behind these addresses speaks TLS."""
    async with aiohttp.ClientSession(connector=egress.connector()) as session:
        try:
            async with session.get(url):
                return True
        except aiohttp.ClientConnectorError as error:
            return not isinstance(error.os_error, Refused)


async def test_a_session_of_ones_own_speaks_plain_http_inside_the_allow_list_alone(
    local: Egress, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("libs.egress.guard.is_public", lambda address: str(address) == "127.0.0.2")
    allowed, public, inside = (f"127.0.0.{n}:{listener.port}/" for n in (1, 2, 3))
    before = listener.connections
    assert not await begins(local, f"http://{public}")
    assert not await begins(local, f"ws://{public}")
    assert not await begins(local, f"http://{inside}")
    assert not await begins(local, f"https://{inside}")
    assert listener.connections == before
    assert await begins(local, f"http://{allowed}")
    assert await begins(local, f"https://{allowed}")
    assert await begins(local, f"https://{public}")
    assert listener.connections == before + 3


PUBLIC = [
    *("1.1.1.1", "8.8.8.8", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255"),
    *("128.0.0.1", "172.15.255.255", "172.32.0.0", "192.0.1.1", "198.17.255.255", "198.20.0.0", "223.255.255.255"),
    *("2606:4700::1", "2a00:1450::1", "2001:4860:4860::8888", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8", "2002:808:808::1"),
]


@pytest.mark.parametrize("address", PUBLIC)
async def test_public_addresses_are_public(address: str) -> None:
    assert is_public(ip_address(address))
