"""Which addresses are public: a table of every range that is not, from the IANA registries.

Registries: iana-ipv4-special-registry, iana-ipv6-special-registry, multicast and reserved space. An IPv6 address that
carries an IPv4 one (mapped, 6to4, NAT64, ISATAP) is public only if that one is too; Teredo, compatible and translated
ones never are. `ipaddress.is_global` is not used: it passes NAT64, 6to4, multicast and site-local addresses.
"""

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_PRIVATE_4 = [
    IPv4Network(range)
    for range in (
        "0.0.0.0/8",  # this network (RFC 791)
        "10.0.0.0/8",  # private use (RFC 1918)
        "100.64.0.0/10",  # shared address space (RFC 6598)
        "127.0.0.0/8",  # loopback (RFC 1122)
        "169.254.0.0/16",  # link local, clouds' metadata (RFC 3927)
        "172.16.0.0/12",  # private use (RFC 1918)
        "192.0.0.0/24",  # IETF protocol assignments (RFC 6890)
        "192.0.2.0/24",  # documentation (RFC 5737)
        "192.31.196.0/24",  # AS112 (RFC 7535)
        "192.52.193.0/24",  # AMT (RFC 7450)
        "192.88.99.0/24",  # 6to4 relay anycast, deprecated (RFC 7526)
        "192.168.0.0/16",  # private use (RFC 1918)
        "192.175.48.0/24",  # AS112 (RFC 7534)
        "198.18.0.0/15",  # benchmarking (RFC 2544)
        "198.51.100.0/24",  # documentation (RFC 5737)
        "203.0.113.0/24",  # documentation (RFC 5737)
        "224.0.0.0/4",  # multicast (RFC 5771)
        "240.0.0.0/4",  # reserved and broadcast (RFC 1112, RFC 919)
    )
]

# Global unicast is 2000::/3; whatever is outside of it is not public.
_GLOBAL_6 = IPv6Network("2000::/3")
_PRIVATE_6 = [
    IPv6Network(range)
    for range in (
        "2001::/23",  # IETF protocol assignments: Teredo, benchmarking, AMT, ORCHID, drone ids (RFC 2928)
        "2001:db8::/32",  # documentation (RFC 3849)
        "2620:4f:8000::/48",  # AS112 (RFC 7534)
        "3fff::/20",  # documentation (RFC 9637)
    )
]
_MAPPED = IPv6Network("::ffff:0:0/96")  # v4-mapped (RFC 4291)
_NAT64 = IPv6Network("64:ff9b::/96")  # NAT64 (RFC 6052); its local twin 64:ff9b:1::/48 (RFC 8215) is never public
_ISATAP = (0x00005EFE, 0x02005EFE)


def is_public(address: Address) -> bool:
    if isinstance(address, IPv4Address):
        return not any(address in range for range in _PRIVATE_4)
    if not all(is_public(inner) for inner in _carried(address)):
        return False
    if address in _MAPPED or address in _NAT64:
        return True
    return address in _GLOBAL_6 and not any(address in range for range in _PRIVATE_6)


def _carried(address: IPv6Address) -> Iterator[IPv4Address]:
    """Every IPv4 address that a network on the way may make of this one."""
    number = int(address)
    if address in _MAPPED or address in _NAT64 or number >> 32 & 0xFFFFFFFF in _ISATAP:
        yield IPv4Address(number & 0xFFFFFFFF)
    if address.sixtofour:
        yield address.sixtofour


def unwrapped(address: Address) -> Address:
    """The IPv4 address behind a v4-mapped one: the socket treats them alike, so does an allow-list."""
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address


def parse_networks(cidrs: str) -> tuple[Network, ...]:
    """`127.0.0.0/8,::1` as networks. Raises ValueError naming the part that is none."""
    return tuple(_network(part.strip()) for part in cidrs.split(",") if part.strip())


def _network(text: str) -> Network:
    try:
        return ip_network(text)
    except ValueError as error:
        raise ValueError(f"{text!r} is no range of addresses, like 10.0.0.0/8 or ::1 ({error})") from None


def parse_address(text: str) -> Address:
    """An address as the socket reports it, which may carry a zone (`fe80::1%eth0`)."""
    return ip_address(text.partition("%")[0])
