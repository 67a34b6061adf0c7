"""Ports: those that the person named must be free; the others are picked where no outgoing connection takes them.

Owner: deploy.local.
"""

import random
import socket
from collections.abc import Iterable

from deploy.local.trouble import Trouble

LOOPBACK = (("127.0.0.1", socket.AF_INET), ("::1", socket.AF_INET6))
_BELOW_OUTGOING = range(20_000, 32_000)


def hosts() -> list[str]:
    """The loopback addresses of this machine: ::1 is missing where IPv6 is switched off."""
    return [host for host, family in LOOPBACK if _binds(host, family, 0)]


def require(ports: Iterable[int]) -> None:
    """Raises Trouble for the first port that something else has."""
    for port in ports:
        for host, family in LOOPBACK:
            if host in hosts() and not _binds(host, family, port):
                raise Trouble(
                    f"Port {port} on {host} is in use or not allowed. Choose another with --port, "
                    f"or stop what listens there (ss -ltnp 'sport = :{port}' shows it)."
                )


def free(count: int) -> list[int]:
    """As many free ports on 127.0.0.1, all different."""
    candidates = random.sample(_BELOW_OUTGOING, len(_BELOW_OUTGOING))
    found = (port for port in candidates if _binds("127.0.0.1", socket.AF_INET, port))
    return [next(found) for _ in range(count)]


def _binds(host: str, family: socket.AddressFamily, port: int) -> bool:
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True
