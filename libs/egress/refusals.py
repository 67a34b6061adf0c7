"""What the guarded client says no to, and how it words failures: never with an address that it found inside.

A name that does not resolve and one that resolves to a private address read the same, so that nobody can learn the
names of the network that this engine stands in.
"""

from collections.abc import Generator
from contextlib import contextmanager
from typing import Protocol

import aiohttp

from libs.contracts.faults import Code, Fault
from libs.egress.guard import Refused

FIELD = "url"


class EgressRefused(Fault):
    """This URL may not be requested, now or later; told apart from a server that can't be reached at the moment."""

    def __init__(self, message: str) -> None:
        super().__init__(Code.INVALID, message, field=FIELD)


def not_public(host: str) -> str:
    return f"The host {host} has no public address."


class Hosted(Protocol):
    """A request or an answer, which knows with whom it deals now."""

    @property
    def host(self) -> str: ...


@contextmanager
def faults(exchange: Hosted) -> Generator[None]:
    """A failed request as its user may see it."""
    try:
        yield
    except aiohttp.ClientError as error:
        if isinstance(error, aiohttp.ClientConnectorError) and isinstance(error.os_error, Refused):
            raise EgressRefused(not_public(exchange.host)) from None
        raise Fault(Code.UPSTREAM, _reason(exchange.host, error)) from error


def late(host: str, seconds: float) -> Fault:
    return Fault(Code.TIMEOUT, f"{host} took longer than the {seconds:g} seconds allowed.")


def _reason(host: str, error: aiohttp.ClientError) -> str:
    match error:
        case aiohttp.ClientConnectorDNSError():
            return not_public(host)
        case aiohttp.ClientConnectorCertificateError():
            return f"The TLS certificate of {host} is not valid."
        case aiohttp.ClientConnectorSSLError():
            return f"No TLS connection could be made to {host}."
        case aiohttp.ClientConnectorError():
            return f"No connection could be made to {host}."
        case aiohttp.ServerDisconnectedError() | aiohttp.ClientOSError():
            return f"{host} closed the connection without a whole answer."
        case _:
            return f"{host} did not answer in valid HTTP."
