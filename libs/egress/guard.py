"""The guard at the socket: no connection begins to an address that is not allowed.

It sees every concrete address that a connection is about to be made to, whether it came from a literal, from DNS or
from a redirect, and after all resolving is over: a name can't change its address in between. What is allowed depends on
whether TLS will be spoken on the connection.
"""

import errno
import socket
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from functools import partial
from typing import Any

import aiohttp
from aiohttp.connector import Connection
from aiohttp.tracing import Trace

from libs.egress.informed import Informed
from libs.egress.ranges import Address, Network, is_public, parse_address, unwrapped

AddressInfo = tuple[Any, Any, int, str, tuple[Any, ...]]
Rule = Callable[[Address], bool]

_encrypted: ContextVar[bool] = ContextVar("encrypted", default=False)


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


class Guarded(aiohttp.TCPConnector):
    """A pool of connections of which each one was made to an address that its rule accepted: `tls` for https, `plain`
    for http.
    """

    def __init__(self, *, tls: Rule, plain: Rule, limit: int) -> None:
        super().__init__(limit=limit, socket_factory=self._socket_to)  # pyright: ignore[reportUnknownMemberType]
        self._factory = partial(Informed, loop=self._loop)
        self._tls, self._plain = tls, plain

    async def connect(
        self, req: aiohttp.ClientRequest, traces: list[Trace], timeout: aiohttp.ClientTimeout
    ) -> Connection:
        """The socket's factory is told the address alone, so the request's scheme goes along in its context."""
        token = _encrypted.set(req.is_ssl())
        try:
            return await super().connect(req, traces, timeout)
        finally:
            _encrypted.reset(token)

    def _socket_to(self, info: AddressInfo) -> socket.socket:
        family, kind, protocol, _, address = info
        allows = self._tls if _encrypted.get() else self._plain
        if not allows(parse_address(str(address[0]))):
            raise Refused
        return socket.socket(family, kind, protocol)
