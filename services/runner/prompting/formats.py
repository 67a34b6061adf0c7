"""Response formats: what `parameters.response_format` asks of an answer, and the JSON that stands in one."""

import re
from typing import Any

from libs.contracts.faults import Code, Fault

_FENCED = re.compile(r"\s*```[a-zA-Z]*\s*\n(.*?)\n?\s*```\s*", re.DOTALL)
_OBJECT: dict[str, Any] = {"type": "object"}
_FIELD = "parameters.response_format"


_TYPES = ("text", "json_object", "json_schema")


def schema(format: dict[str, Any] | None) -> dict[str, Any] | None:
    """What an answer has to fit; None where it may be anything."""
    match format:
        case {"type": "json_schema", "json_schema": {"schema": {**schema}}}:
            return schema
        case {"type": "json_object"}:
            return _OBJECT
        case _:
            return None


def check(format: dict[str, Any]) -> dict[str, Any] | None:
    """Its schema. Raises Fault INVALID for a format that nobody could keep to, or that names no schema."""
    if format.get("type") not in _TYPES:
        raise Fault(Code.INVALID, "Expected text, json_object or json_schema.", field=f"{_FIELD}.type")
    wanted = schema(format)
    if wanted is None and format["type"] == "json_schema":
        raise Fault(Code.INVALID, "A response_format of json_schema needs json_schema.schema.", field=_FIELD)
    return wanted


def bare(answer: str) -> str:
    """The answer without the fence that models like to put around code."""
    fenced = _FENCED.fullmatch(answer)
    return fenced[1] if fenced else answer
