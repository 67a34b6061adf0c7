"""Requests as they can be stored: their texts without NUL and lone surrogates, their names not empty."""

from typing import TypeVar

import msgspec

from libs.contracts.faults import Code, Fault
from libs.postgres import text

T = TypeVar("T", bound=msgspec.Struct)


def storable(asked: T) -> T:
    """The request with the texts, lists and mappings in its fields cleaned."""
    said = {name: getattr(asked, name) for name in asked.__struct_fields__}
    cleaned = {name: text.clean(value) for name, value in said.items() if isinstance(value, str | list | dict)}
    return msgspec.structs.replace(asked, **cleaned)


def named(value: object, field: str = "name") -> None:
    """Raises Fault INVALID for a name without a letter."""
    if isinstance(value, str) and not value.strip():
        raise Fault(Code.INVALID, f"The {field} must not be empty.", field=field)
