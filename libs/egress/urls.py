"""URLs as a user may write them, checked before anything is looked up: what can be told now is told now.

The real guard is at the socket (`guard.py`); this one gives the person who types a URL the reason at once.
"""

import re
import socket
from ipaddress import IPv4Address

from yarl import URL

from libs.egress.guard import Allowed
from libs.egress.ranges import Address, parse_address
from libs.egress.refusals import EgressRefused, not_public

_LONGEST = 2048
# Parsers disagree on what these mean.
_AMBIGUOUS = re.compile(r"[\x00-\x20\x7f-\xa0\\\ud800-\udfff]")
_AUTHORITY_ENDS = re.compile(r"[/?#]")
_HOST = re.compile(r"([A-Za-z0-9_-]{1,63}\.)*[A-Za-z0-9_-]{1,63}\.?")


def checked(url: str, schemes: tuple[str, ...], allowed: Allowed) -> URL:
    """The URL as it is requested. Raises EgressRefused, whose message names what is wrong with it."""
    parsed = _parsed(url)
    host = parsed.raw_host
    if parsed.scheme not in ("http", "https") or not host or not parsed.port:
        raise EgressRefused(f"{_shown(url)} is no complete URL: expected {schemes[0]}://host/path.")
    if "@" in _AUTHORITY_ENDS.split(url.partition("//")[2], maxsplit=1)[0]:
        raise EgressRefused("A URL may not carry a user name or password.")
    address = literal(host)
    if address is None and not (_HOST.fullmatch(host) and len(host) <= 253):
        raise EgressRefused(f"{_shown(host)} is no valid host name.")
    if address is not None and not allowed.anywhere(address):
        raise EgressRefused(not_public(host))
    if _oddly_spelt(host, address):
        raise EgressRefused(f"{_shown(host)} is an unusual way to write an address: expected {address}.")
    if parsed.scheme not in schemes and not _may_be_inside(address, allowed):
        raise EgressRefused(f"The URL must begin with {' or '.join(f'{scheme}://' for scheme in schemes)}.")
    return parsed.with_fragment(None)


def literal(host: str) -> Address | None:
    """The address that a host spells, in any notation that a resolver reads as one: `127.1`, `0x7f000001`, `::1`."""
    name = host.rstrip(".").lower()
    if name == "localhost" or name.endswith(".localhost"):
        return IPv4Address("127.0.0.1")
    try:
        return parse_address(name)
    except ValueError:
        pass
    try:
        return IPv4Address(socket.inet_aton(name))
    except OSError:
        return None


def _oddly_spelt(host: str, address: Address | None) -> bool:
    return isinstance(address, IPv4Address) and host != str(address) and "localhost" not in host


def _parsed(url: str) -> URL:
    if len(url) > _LONGEST or _AMBIGUOUS.search(url):
        raise EgressRefused(
            f"A URL has at most {_LONGEST} characters, and no spaces, backslashes or control characters."
        )
    try:
        return URL(url)
    except ValueError:
        raise EgressRefused(f"{_shown(url)} is no URL.") from None


def _may_be_inside(address: Address | None, allowed: Allowed) -> bool:
    """For a name that is still to be resolved the socket decides."""
    return allowed.inside(address) if address is not None else bool(allowed.networks)


def _shown(url: str) -> str:
    return repr(url if len(url) <= 100 else f"{url[:100]}…")
