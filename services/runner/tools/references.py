"""References within an OpenAPI document: what they lead to, and schemas that bring along what they refer to.

The rule: what a schema reaches is measured before any of it is copied, since in a document whose schemas refer to each
other every operation reaches most of them.
"""

import re
from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import Struct

from libs.contracts.faults import Code, Fault
from services.runner.prompting.schemas import LARGEST

_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9_-]+")
_MOST_REFERENCES = 50
_DEEPEST = 100
# Of 3.0 alone: true or false, where JSON Schema has a number, or another type.
_FLAGS = ("nullable", "exclusiveMinimum", "exclusiveMaximum")


class _Target(Struct, frozen=True):
    """What a reference leads to, its size in bytes, and where that leads on."""

    value: Any
    size: int
    references: frozenset[str]


class References:
    """Of one document. Raises Fault INVALID for what leads nowhere, or is too large to be a tool's."""

    def __init__(self, document: dict[str, Any]) -> None:
        self._document = document
        self._known: dict[str, _Target] = {}

    def resolved(self, value: Any) -> dict[str, Any]:
        """The mapping itself, behind however many references."""
        for _ in range(_MOST_REFERENCES):
            if not isinstance(value, dict):
                break
            if "$ref" not in value:
                return value
            value = self._behind(value["$ref"])
        raise wrong("A reference of the document leads nowhere.")

    def complete(self, schema: dict[str, Any]) -> dict[str, Any]:
        """The schema with what it refers to, and what that does, as its `$defs`."""
        reached = self._reached(schema)
        names = {reference: _name(reference, place) for place, reference in enumerate(reached)}
        definitions = {names[reference]: _moved(target.value, names) for reference, target in reached.items()}
        moved = _moved(schema, names)
        return {**moved, "$defs": definitions} if definitions else moved

    def _reached(self, schema: dict[str, Any]) -> dict[str, _Target]:
        reached: dict[str, _Target] = {}
        size, left = len(msgspec.json.encode(schema)), sorted(_references(schema))
        while left:
            if (reference := left.pop()) in reached:
                continue
            target = reached[reference] = self._target(reference)
            size += target.size
            if size > LARGEST:
                raise wrong(f"The operation's schema, with all that it refers to, is over {LARGEST:,} bytes.")
            left += sorted(target.references)
        return reached

    def _target(self, reference: str) -> _Target:
        if (known := self._known.get(reference)) is None:
            value = self._behind(reference)
            known = _Target(value, len(msgspec.json.encode(value)), frozenset(_references(value)))
            self._known[reference] = known
        return known

    def _behind(self, reference: Any) -> Any:
        if not isinstance(reference, str) or not reference.startswith("#/"):
            raise wrong(f"The document refers to something outside of it: {reference!r}.")
        value: Any = self._document
        for part in reference[2:].split("/"):
            value = mapping(value).get(part.replace("~1", "/").replace("~0", "~"))
        return value


def mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def wrong(message: str) -> Fault:
    return Fault(Code.INVALID, message, field="document")


def _name(reference: str, place: int) -> str:
    return f"{_NOT_IN_NAMES.sub('_', reference.rpartition('/')[2])}_{place}"


def _references(value: Any, depth: int = 0) -> Iterator[str]:
    if depth > _DEEPEST:
        raise wrong(f"A schema of the document is nested over {_DEEPEST} levels deep.")
    match value:
        case list():
            for item in value:
                yield from _references(item, depth + 1)
        case {"$ref": str(reference)}:
            yield reference
        case dict():
            for item in value.values():
                yield from _references(item, depth + 1)
        case _:
            return


def _moved(value: Any, names: dict[str, str]) -> Any:
    """With references to `$defs`, and in the words of JSON Schema."""
    match value:
        case list():
            return [_moved(item, names) for item in value]
        case {"$ref": str(reference)}:
            return {"$ref": f"#/$defs/{names[reference]}"}
        case dict():
            return _worded(value, {key: _moved(item, names) for key, item in value.items()})
        case _:
            return value


def _worded(value: dict[str, Any], moved: dict[str, Any]) -> dict[str, Any]:
    """A flag is one where it is true or false: a property may have its name."""
    flags = {name: moved.pop(name) for name in _FLAGS if isinstance(value.get(name), bool)}
    if flags.get("nullable") and isinstance(moved.get("type"), str):
        moved["type"] = [moved["type"], "null"]
    for limit, flag in (("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")):
        if flags.get(flag) and limit in moved:
            moved[flag] = moved.pop(limit)
    return moved
