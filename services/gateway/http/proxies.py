"""Where a client comes from, behind the proxies that the installation trusts.

The rule: an X-Forwarded-For is read from its end, each address being as true as the one who wrote it: the first that
is no trusted proxy's is the client's, and what stands before it is the client's own word. So is an X-Forwarded-Proto.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from aiohttp import hdrs, web

from services.gateway.origins import Address


@dataclass(frozen=True)
class Proxies:
    trusted: tuple[IPv4Network | IPv6Network, ...]
    https_only: bool

    @classmethod
    def of(cls, cidrs: str, *, https_only: bool = False) -> "Proxies":
        """`10.0.0.0/8,::1`. Raises ValueError, saying what is wrong."""
        try:
            trusted = tuple(ip_network(part.strip()) for part in cidrs.split(",") if part.strip())
        except ValueError as error:
            raise ValueError(f"TRUSTED_PROXIES holds a range that is none: {error}") from None
        if https_only and not trusted:
            raise ValueError("REQUIRE_HTTPS needs TRUSTED_PROXIES: the proxies whose X-Forwarded-Proto is believed")
        return cls(trusted, https_only)

    def admit(self, request: web.Request) -> None:
        """Raises HTTPUpgradeRequired for what did not come over HTTPS, where only that is let in."""
        if self.https_only and not self._came_over_https(request):
            raise web.HTTPUpgradeRequired(headers={hdrs.UPGRADE: "TLS/1.2, HTTP/1.1"})

    def _came_over_https(self, request: web.Request) -> bool:
        said = request.headers.getall(hdrs.X_FORWARDED_PROTO, [""])[-1].rpartition(",")[2]
        return self._trusts(_parsed(request.remote or "")) and said.strip().lower() == "https"

    def client(self, request: web.Request) -> Address | None:
        """None where it can't be told: over a Unix socket, or where a trusted proxy wrote something else."""
        address = _parsed(request.remote or "")
        for said in _forwarded(request) if self.trusted else ():
            if not self._trusts(address):
                return address
            address = _parsed(said)
        return address

    def _trusts(self, address: Address | None) -> bool:
        return address is not None and any(address in network for network in self.trusted)


def _forwarded(request: web.Request) -> Iterator[str]:
    """The last first."""
    for line in reversed(request.headers.getall(hdrs.X_FORWARDED_FOR, [])):
        yield from reversed(line.split(","))


def _parsed(text: str) -> Address | None:
    try:
        address = ip_address(text.strip())
    except ValueError:
        return None
    return address.ipv4_mapped or address if isinstance(address, IPv6Address) else address
