"""Origins: the address that a request comes from, and what it is counted with, wherever requests are counted by it."""

from ipaddress import IPv4Address, IPv6Address

Address = IPv4Address | IPv6Address
Network = IPv4Address | int | None

_HOST_BITS = 64


def network(address: Address | None) -> Network:
    """Whoever has an IPv6 address mostly has all of its /64, so that is one. What can't be told is one, too."""
    return int(address) >> _HOST_BITS if isinstance(address, IPv6Address) else address
