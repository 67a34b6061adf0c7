"""Parsing: what servers and models say as JSON, as later steps take it apart. Pure."""

from typing import Any

import msgspec

# What is nested deeper nobody takes apart, and walking through it ends in Python's own limit.
_DEEPEST = 64


def parsed(text: str, otherwise: Any = None) -> Any:
    """`otherwise` for what is no JSON, or is nested too deep."""
    try:
        value = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return otherwise
    return value if _fits(value, _DEEPEST) else otherwise


def _fits(value: Any, levels: int) -> bool:
    match value:
        case dict():
            return levels > 0 and all(_fits(item, levels - 1) for item in value.values())
        case list():
            return levels > 0 and all(_fits(item, levels - 1) for item in value)
        case _:
            return True
