"""Parameters: what stands in a request's path and query."""

from uuid import UUID

from aiohttp import web

from libs.contracts import ids
from libs.contracts.faults import Code, Fault, not_found

_LONGEST_SHOWN = 100
_LONGEST_LINE = 500


def guid(text: str, noun: str, *, field: str | None = None) -> UUID:
    """The id in either spelling. What spells no id is the id of nothing: Fault NOT_FOUND."""
    found = ids.parse(text)
    if found is None:
        raise not_found(noun, shown(text), field=field)
    return found


def in_path(request: web.Request, noun: str, *, name: str = "guid") -> UUID:
    return guid(request.match_info[name], noun)


def whole(request: web.Request, name: str, default: int, *, least: int = 0, most: int = 2**31 - 1) -> int:
    """A whole number of the query; above `most` it is taken as `most`. Raises Fault INVALID."""
    text = request.query.get(name)
    if not text:
        return default
    if not text.isascii() or not text.isdigit() or int(text[:20]) < least:
        raise Fault(Code.INVALID, f"Expected a whole number from {least} on, got {shown(text)!r}.", field=name)
    return min(int(text[:20]), most)


def flag(request: web.Request, name: str) -> bool:
    """Yes or no; no where it is left out. Raises Fault INVALID."""
    text = request.query.get(name, "").lower()
    if text not in ("", "true", "1", "false", "0"):
        raise Fault(Code.INVALID, f"Expected true or false, got {shown(text)!r}.", field=name)
    return text in ("true", "1")


def line(request: web.Request, name: str) -> str | None:
    """A few words of the query; left out, or empty, it asks for nothing. Raises Fault INVALID."""
    text = request.query.get(name)
    if text and (not text.isprintable() or len(text) > _LONGEST_LINE):
        raise Fault(Code.INVALID, f"Expected {_LONGEST_LINE} printable characters at most.", field=name)
    return text or None


def shown(text: str) -> str:
    """What a client wrote, fit to be said back to it: bounded, and without what no JSON can hold."""
    clean = text.encode("utf-8", "replace").decode().replace("\0", "\ufffd")
    return clean if len(clean) <= _LONGEST_SHOWN else f"{clean[:_LONGEST_SHOWN]}…"
