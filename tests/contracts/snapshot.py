"""The contracts as they are on the wire, in a form that can be kept and compared: `python -m tests.contracts.snapshot`
writes them to schemas.json once a change to them is meant.
"""

import enum
import json
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from msgspec import Struct, structs

from deploy.subjects import constants, noun, spelled
from libs.contracts.faults import Failure
from libs.contracts.subjects import Event, Feed, Rpc, Stated, Subject

KEPT = Path(__file__).parent / "schemas.json"


def carried(subject: Subject) -> dict[str, Any]:
    """The types that travel under a subject, by their part in it."""
    match subject:
        case Rpc(request=request, reply=reply):
            return {"request": request, "reply": reply}
        case Event(fact=fact):
            return {"fact": fact}
        case Feed(item=item):
            return {"item": item}
    raise TypeError(f"{subject!r} has no shape that is known here")


def taken() -> dict[str, Any]:
    """Every subject with its types, and every type that can be reached from there, field by field."""
    subjects = {constant.subject.name: carried(constant.subject) for constant in constants()}
    reached: dict[str, Any] = {}
    for type_ in [Stated, Failure, *(type_ for parts in subjects.values() for type_ in parts.values())]:
        _reach(type_, reached)
    return {
        "subjects": {
            name: {part: spelled(type_) for part, type_ in parts.items()} for name, parts in sorted(subjects.items())
        },
        "types": {name: _description(type_) for name, type_ in sorted(reached.items())},
    }


def _reach(type_: Any, reached: dict[str, Any]) -> None:
    for found in _named(type_):
        if _name(found) not in reached:
            reached[_name(found)] = found
            for field in _fields(found):
                _reach(field.type, reached)


def _named(type_: Any) -> Iterator[type]:
    """The Structs and enums that a type is made of."""
    for part in (typing.get_origin(type_) or type_, *typing.get_args(type_)):
        if isinstance(part, type) and issubclass(part, Struct | enum.Enum):
            yield part
        elif part is not type_ and typing.get_args(part):
            yield from _named(part)


def _name(type_: type) -> str:
    return f"{noun(type_.__module__)}.{type_.__qualname__}"


def _fields(type_: type) -> tuple[structs.FieldInfo, ...]:
    return structs.fields(type_) if issubclass(type_, Struct) else ()


def _description(type_: type) -> dict[str, Any]:
    if issubclass(type_, enum.Enum):
        return {"values": [member.value for member in type_]}
    config = type_.__struct_config__
    fields = {
        field.encode_name: {"type": spelled(field.type), "required": field.required} for field in structs.fields(type_)
    }
    return {"tag": config.tag, "array": config.array_like, "fields": fields}


if __name__ == "__main__":
    KEPT.write_text(json.dumps(taken(), indent=1) + "\n")
