"""The guard at the socket: no connection begins to an address that is not allowed.

It sees every concrete address that a connection is about to be made to, whether it came from a literal, from DNS or
from a redirect, and after all resolving is over: a name can't change its address in between.
"""

import errno
import socket
from collections.abc import Callable, Sequence
from typing import Any

import aiohttp

from libs.egress.ranges import Address, Network, is_public, parse_address, unwrapped

AddressInfo = tuple[Any, Any, int, str, tuple[Any, ...]]


class Refused(OSError):
    """The address is not allowed. Its text never says which."""

    def __init__(self) -> None:
        super().__init__(errno.EACCES, "the address is not allowed")


class Allowed:
    """Which addresses may be connected to: those of the allow-list, and the public ones."""

    def __init__(self, networks: Sequence[Network]) -> None:
        self.networks = tuple(networks)

    def inside(self, address: Address) -> bool:
        """On the allow-list, where plain http is allowed too."""
        plain = unwrapped(address)
        return any(plain in network for network in self.networks if network.version == plain.version)

    def anywhere(self, address: Address) -> bool:
        return self.inside(address) or is_public(address)


def connector(allows: Callable[[Address], bool] | None, *, limit: int) -> aiohttp.TCPConnector:
    """A pool of connections of which each one was made to an address that `allows` accepted (None: to any)."""
    if allows is None:
        return aiohttp.TCPConnector(limit=limit)

    def guarded_socket(info: AddressInfo) -> socket.socket:
        family, kind, protocol, _, address = info
        if not allows(parse_address(str(address[0]))):
            raise Refused
        return socket.socket(family, kind, protocol)

    return aiohttp.TCPConnector(limit=limit, socket_factory=guarded_socket)
