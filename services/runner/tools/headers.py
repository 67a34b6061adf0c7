"""Headers that a workspace has sent along: which may be, and what stands for one that is kept secret."""

import re

from libs.contracts.faults import Code, Fault

KEPT = "…"

_HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}")
_WITH_SCHEME = re.compile(r"[A-Za-z]+ (\S+)")
# The connection's own to say.
_NOT_OURS = frozenset({"host", "content-length", "transfer-encoding", "connection"})
_LONGEST_HEADER = 8192
# A shorter value tells nothing, and would be found in words that have nothing to do with it.
_TELLING = 8


def check_headers(headers: dict[str, str]) -> None:
    """Raises Fault INVALID, field "headers"."""
    for name, value in headers.items():
        if not _HEADER.fullmatch(name) or name.lower() in _NOT_OURS:
            raise Fault(Code.INVALID, f"{name!r} is no header to be sent along.", field="headers")
        if len(value) > _LONGEST_HEADER or not value.isprintable() or not value.isascii():
            message = f"The header {name} has a value that can't be sent: expected printable ASCII."
            raise Fault(Code.INVALID, message, field="headers")


def renewed(given: dict[str, str], known: dict[str, str]) -> dict[str, str]:
    """Headers as they shall be: those whose value is `…` stay as they are."""
    return {name: known.get(name, value) if value == KEPT else value for name, value in given.items()}


def unsaid(headers: dict[str, str], said: str) -> str:
    """What a server says without the secrets that it was sent, nor those without their scheme (`Bearer …`)."""
    bare = [match[1] for value in headers.values() if (match := _WITH_SCHEME.fullmatch(value))]
    for secret in sorted([*headers.values(), *bare], key=len, reverse=True):
        if len(secret) >= _TELLING:
            said = said.replace(secret, KEPT)
    return said
