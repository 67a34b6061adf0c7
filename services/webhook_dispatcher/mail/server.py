"""The server that takes the installation's mail, as SMTP_URL names it.

`smtp://user:password@host:587` is spoken to with STARTTLS, which it must offer; `smtps://…` with TLS from the start.
`smtp://host:25?tls=none` does without, for a server on the same machine.
"""

from email.utils import parseaddr
from urllib.parse import parse_qsl, unquote, urlsplit

from msgspec import Struct

_PORTS = {"smtp": 587, "smtps": 465}
_EXPECTED = "expected smtp://user:password@host:587, smtps://… or smtp://host:25?tls=none"


class Server(Struct, frozen=True):
    """`tls` is from the start, `starttls` after the greeting."""

    host: str
    port: int
    user: str
    password: str
    tls: bool
    starttls: bool


def parse(url: str) -> Server | None:
    """None where none is set. Raises ValueError, which does not repeat what may hold a password."""
    if not url:
        return None
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ValueError(_EXPECTED) from None
    query = dict(parse_qsl(parts.query))
    if parts.scheme not in _PORTS or not parts.hostname or query not in ({}, {"tls": "none"}) or parts.path.strip("/"):
        raise ValueError(_EXPECTED)
    tls, bare = parts.scheme == "smtps", query == {"tls": "none"}
    if bare and (tls or parts.password):
        raise ValueError("a password is not sent without TLS: leave out tls=none")
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    return Server(parts.hostname, port or _PORTS[parts.scheme], user, password, tls, starttls=not (tls or bare))


def check_sender(sender: str) -> None:
    """Raises ValueError for what is no `Name <name@example.com>`."""
    address = parseaddr(sender)[1]
    if "@" not in address or not sender.isprintable():
        raise ValueError("expected an address, as Polyvox <polyvox@example.com>")
