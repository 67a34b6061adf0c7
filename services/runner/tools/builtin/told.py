"""What a built-in tool tells: JSON of a bounded size, which says how much of it there is."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from libs.contracts import ids
from libs.contracts.faults import Code, Fault

# Characters of a whole answer.
_MOST = 16_000
_encode = msgspec.json.Encoder().encode


def listed(name: str, items: Iterable[dict[str, Any]], **beside: Any) -> str:
    """As many of the items as there is room for."""
    told: list[dict[str, Any]] = []
    room = _MOST
    for item in items:
        room -= len(_encode(item))
        if room < 0 and told:
            break
        told.append(item)
    return _encode({**beside, "shown": len(told), name: told}).decode()


def one(item: dict[str, Any]) -> str:
    return _encode(item).decode()


def within(values: dict[str, Any], most: int) -> dict[str, Any]:
    """Those that fit, in their order; where some do not, it says so."""
    told: dict[str, Any] = {}
    for name, value in values.items():
        most -= len(_encode({name: value}))
        if most >= 0:
            told[name] = value
    return told if len(told) == len(values) else {**told, "…": f"{len(values) - len(told)} more are too long to show"}


def moment(at: datetime | None) -> str | None:
    return at and at.strftime("%Y-%m-%dT%H:%M:%SZ")


def id(arguments: dict[str, Any], name: str) -> UUID | None:
    """None where it is left out. Raises Fault INVALID for what spells none."""
    text = arguments.get(name)
    if not text:
        return None
    found = ids.parse(str(text))
    if found is None:
        raise Fault(Code.INVALID, f"{name}: {str(text)[:100]!r} is no id")
    return found
