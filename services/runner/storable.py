"""Requests as they can be stored: texts without NUL and lone surrogates, names neither empty nor endless."""

from typing import Any, TypeVar

import msgspec

from libs.contracts.faults import Code, Fault
from libs.postgres import text

T = TypeVar("T", bound=msgspec.Struct)

# Characters. Lists tell a name of each: a few endless ones would make them unreadable.
_LONGEST_NAME = 500
_CLEANED = str | list | dict | msgspec.Struct


def storable(asked: T) -> T:
    """The request with the texts, lists and mappings in its fields cleaned, and those of the Structs in it too."""
    said = {name: getattr(asked, name) for name in asked.__struct_fields__}
    cleaned = {name: _clean(value) for name, value in said.items() if isinstance(value, _CLEANED)}
    return msgspec.structs.replace(asked, **cleaned)


def _clean(value: Any) -> Any:
    match value:
        case msgspec.Struct():
            return storable(value)
        case [msgspec.Struct(), *_]:
            return [storable(each) for each in value]
        case _:
            return text.clean(value)


def named(value: object, field: str = "name") -> None:
    """Raises Fault INVALID for a name without a letter, or of too many."""
    if not isinstance(value, str):
        return
    if not value.strip():
        raise Fault(Code.INVALID, f"The {field} must not be empty.", field=field)
    if len(value) > _LONGEST_NAME:
        raise Fault(Code.INVALID, f"The {field} has at most {_LONGEST_NAME} characters.", field=field)
